//! Queue, kill switch, expiry and the end, with a paused clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use shadow_core::{
    gate::{Gate, Selector, WritePolicy},
    rewrite::{Marker, RewritePolicy, RewriteRules},
};
use shadow_proto::exchange::{Exchange, Incomplete};
use tokio::task::JoinHandle;

use super::{
    super::{
        capture::{Entry, FanOut},
        dispatch::{Dispatcher, Policy},
        idle_cpu::IdleCpuGate,
        lane::Lane,
        pairs::Pairs,
        settings::{PairSettings, Role},
        switch::Armed,
    },
    comparator, exchange, failed, final_funnel, funnel, gate, ledger, rewrite,
    script::Script,
    skipped,
};
use crate::replay::ReplaySettings;

/// The test is the capture thread's end of the queue; a scripted shadow system is at the other.
pub(super) struct Bench {
    pub(super) lane: Arc<Lane>,
    pub(super) desk: FanOut,
    pub(super) script: Script,
    pub(super) pairs: PairSettings,
    pub(super) controlled: Vec<Arc<Lane>>,
    rewrite: RewritePolicy,
}

impl Bench {
    pub(super) fn new(settings: ReplaySettings) -> Self {
        Self::under(None, settings)
    }

    fn under(armed: Option<Armed>, settings: ReplaySettings) -> Self {
        let lane = Lane::new("shadow".to_owned(), Role::Shadow, ledger(), Some(settings)).under(armed);
        let lane = Arc::new(lane);
        let desk = FanOut {
            ownership: Arc::default(),
            entries: vec![Entry::new(Arc::clone(&lane), Some(gate()))],
            courtesy: IdleCpuGate::new(Arc::default()),
        };
        Self {
            lane,
            desk,
            script: Script::default(),
            pairs: PairSettings::default(),
            controlled: Vec::new(),
            rewrite: rewrite(),
        }
    }

    /// Replays writes as these rules say.
    pub(super) fn writes(&mut self, writes: &WritePolicy) {
        let gate = Gate::new(Selector::default(), writes.clone(), vec![Marker::default()]);
        self.desk.entries = vec![Entry::new(Arc::clone(&self.lane), Some(gate))];
        let rules = RewriteRules::default();
        self.rewrite = RewritePolicy::new(
            rules,
            "shadow.example",
            &Marker::default(),
            writes.clone(),
            [0; 32],
        )
        .unwrap();
    }

    pub(super) fn run(&self) -> JoinHandle<()> {
        let policy = Policy {
            rewrite: self.rewrite.clone(),
            comparator: Arc::new(comparator()),
            pairs: self.pairs,
            now: None,
        };
        let pairs = Pairs::new(self.pairs, self.controlled.clone());
        let dispatcher = Dispatcher::new(Arc::clone(&self.lane), self.script.clone(), policy, pairs);
        tokio::spawn(dispatcher.run())
    }

    pub(super) fn admit(&mut self, exchange: Box<Exchange>) {
        self.desk.admit(exchange);
    }

    pub(super) fn get(&mut self, targets: &[&str]) {
        for target in targets {
            self.admit(exchange("GET", target, "ok"));
        }
        self.desk.flush();
    }

    pub(super) async fn finish(self, run: JoinHandle<()>) -> super::Funnel {
        self.lane.queue.close();
        run.await.unwrap();
        let Lane { queue, in_flight, .. } = &*self.lane;
        assert_eq!((queue.len(), queue.bytes(), in_flight.load(SeqCst)), (0, 0, 0));
        final_funnel(&self.lane.books)
    }
}

fn defaults() -> ReplaySettings {
    ReplaySettings::default()
}

#[tokio::test(start_paused = true)]
async fn every_exchange_ends_in_one_place() {
    let mut bench = Bench::new(defaults());
    let run = bench.run();
    bench.get(&["/ok", "/ok", "/other", "/reset", "/unsendable", "/slow"]);
    bench.admit(exchange("POST", "/ok", "ok"));
    let mut torn = exchange("GET", "/ok", "ok");
    torn.incomplete = Some(Incomplete::ResponseGap);
    bench.admit(torn);
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    assert_eq!(
        (
            funnel.exchanges,
            funnel.matched,
            funnel.mismatched,
            failed(&funnel, "reset")
        ),
        (8, 3, 1, 1),
        "{funnel:?}"
    );
    for reason in ["unsendable", "write", "response_gap"] {
        assert_eq!(skipped(&funnel, reason), 1, "{reason}: {funnel:?}");
    }
    assert_eq!(script.sent().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_the_newest() {
    let mut bench = Bench::new(ReplaySettings {
        queue: 4,
        ..defaults()
    });
    bench.get(&["/ok?1", "/ok?2", "/ok?3", "/ok?4", "/ok?5", "/ok?6"]);
    let run = bench.run();
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    assert_eq!(
        (skipped(&funnel, "queue_full"), funnel.matched),
        (2, 4),
        "{funnel:?}"
    );
    assert_eq!(script.sent(), ["/ok?1", "/ok?2", "/ok?3", "/ok?4"]);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_in_bytes_until_the_verdict() {
    let mut bench = Bench::new(ReplaySettings {
        queue_bytes: 64 << 10,
        ..defaults()
    });
    let run = bench.run();
    for _ in 0..3 {
        bench.admit(exchange("GET", "/slow", vec![b'x'; 30_000]));
    }
    bench.desk.flush();
    // Both that fit are in flight now and still hold their bytes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        (bench.lane.queue.len(), bench.lane.in_flight.load(SeqCst)),
        (0, 2)
    );
    bench.admit(exchange("GET", "/slow", vec![b'x'; 30_000]));
    tokio::time::sleep(Duration::from_millis(600)).await;
    bench.admit(exchange("GET", "/ok", vec![b'x'; 30_000]));
    let funnel = bench.finish(run).await;
    assert_eq!(
        (skipped(&funnel, "queue_full"), funnel.replayed),
        (2, 3),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_capped_and_used() {
    let mut bench = Bench::new(ReplaySettings {
        concurrency: 3,
        ..defaults()
    });
    let run = bench.run();
    let begin = tokio::time::Instant::now();
    bench.get(&["/slow"; 9]);
    let most = Arc::clone(&bench.script.most);
    let funnel = bench.finish(run).await;
    assert_eq!((funnel.matched, most.load(SeqCst)), (9, 3), "{funnel:?}");
    assert_eq!(begin.elapsed().as_secs(), 3, "three rounds of a second");
}

#[tokio::test(start_paused = true)]
async fn what_waited_too_long_is_not_replayed() {
    let mut bench = Bench::new(ReplaySettings {
        concurrency: 1,
        max_wait: Duration::from_millis(1500),
        ..defaults()
    });
    let run = bench.run();
    bench.get(&["/slow"; 5]);
    let funnel = bench.finish(run).await;
    assert_eq!(
        (funnel.matched, skipped(&funnel, "expired")),
        (2, 3),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn kill_cancels_skips_and_can_be_taken_back() {
    let mut bench = Bench::new(ReplaySettings {
        concurrency: 2,
        ..defaults()
    });
    let run = bench.run();
    bench.get(&["/hang", "/hang", "/ok", "/ok", "/ok"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = funnel(&bench.lane.books);
    assert_eq!((before.in_flight, before.replayed), (5, 0), "{before:?}");

    bench.lane.switch.kill();
    tokio::time::sleep(Duration::from_millis(1)).await;
    bench.get(&["/ok"; 7]);
    let killed = final_funnel(&bench.lane.books);
    assert_eq!(
        (failed(&killed, "cancelled"), skipped(&killed, "killed")),
        (2, 10),
        "{killed:?}"
    );

    bench.lane.switch.resume();
    bench.get(&["/ok"; 4]);
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    assert_eq!((funnel.exchanges, funnel.matched), (16, 4), "{funnel:?}");
    assert_eq!(script.sent().len(), 6, "nothing was sent while killed");
}

#[tokio::test(start_paused = true)]
async fn the_end_cancels_what_is_in_flight_and_skips_the_rest() {
    let mut bench = Bench::new(ReplaySettings {
        concurrency: 1,
        ..defaults()
    });
    let run = bench.run();
    bench.get(&["/hang", "/ok", "/ok"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    bench.lane.switch.end();
    bench.lane.switch.resume();
    let funnel = bench.finish(run).await;
    assert_eq!(
        (failed(&funnel, "cancelled"), skipped(&funnel, "shutdown")),
        (1, 2),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_verdict_and_no_place() {
    let mut bench = Bench::new(ReplaySettings {
        concurrency: 1,
        ..defaults()
    });
    let run = bench.run();
    bench.get(&["/panic", "/ok", "/panic", "/ok"]);
    let funnel = bench.finish(run).await;
    assert_eq!(
        (failed(&funnel, "cancelled"), funnel.matched),
        (2, 2),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_request_is_sent_is_counted_too() {
    let mut bench = Bench::new(ReplaySettings {
        concurrency: 2,
        ..defaults()
    });
    let run = bench.run();
    bench.get(&["/panic-early", "/ok", "/panic-early", "/ok", "/panic-early"]);
    let funnel = bench.finish(run).await;
    assert_eq!(
        (skipped(&funnel, "panicked"), funnel.matched),
        (3, 2),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_end_of_time_loses_no_exchange() {
    let mut bench = Bench::new(ReplaySettings {
        max_wait: Duration::MAX,
        ..defaults()
    });
    let run = bench.run();
    bench.get(&["/ok", "/panic-early", "/ok"]);
    let funnel = bench.finish(run).await;
    assert_eq!(
        (skipped(&funnel, "panicked"), funnel.matched),
        (1, 2),
        "{funnel:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn large_bodies_are_compared_elsewhere_and_counted_the_same() {
    let mut bench = Bench::new(defaults());
    let run = bench.run();
    bench.admit(exchange("GET", "/other", vec![b'x'; 1 << 20]));
    bench.get(&["/ok"]);
    let funnel = bench.finish(run).await;
    assert_eq!((funnel.mismatched, funnel.matched), (1, 1), "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn observing_replays_nothing() {
    let mut bench = Bench::new(defaults());
    bench.desk.entries[0].gate = None;
    let run = bench.run();
    bench.get(&["/ok"; 3]);
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    assert_eq!(
        (skipped(&funnel, "observe_only"), script.sent().len()),
        (3, 0),
        "{funnel:?}"
    );
}

/// `shadow kill` on a node where the agent gets no CPU time to notice it.
#[tokio::test(start_paused = true)]
async fn nothing_is_sent_once_the_kernel_program_is_off() {
    let armed = Arc::new(AtomicBool::new(true));
    let look = Arc::clone(&armed);
    let mut bench = Bench::under(Some(Armed::new(move || look.load(SeqCst))), defaults());
    let run = bench.run();
    bench.get(&["/ok"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    armed.store(false, SeqCst);
    bench.get(&["/ok", "/ok"]);
    let script = bench.script.clone();
    let funnel = bench.finish(run).await;
    assert_eq!(script.sent().len(), 1, "{funnel:?}");
    assert_eq!((funnel.matched, skipped(&funnel, "killed")), (1, 2), "{funnel:?}");
}

/// The agent ends: it switches the kernel program off first, and then replays the captured exchanges.
#[tokio::test(start_paused = true)]
async fn what_was_captured_is_replayed_to_its_end_unless_it_was_killed_before() {
    for killed in [false, true] {
        let armed = Arc::new(AtomicBool::new(!killed));
        let look = Arc::clone(&armed);
        let mut bench = Bench::under(Some(Armed::new(move || look.load(SeqCst))), defaults());
        bench.lane.switch.leave_kernel();
        armed.store(false, SeqCst);
        bench.get(&["/ok", "/ok"]);
        let run = bench.run();
        let funnel = bench.finish(run).await;
        let expected = if killed { (0, 2) } else { (2, 0) };
        assert_eq!(
            (funnel.matched, skipped(&funnel, "killed")),
            expected,
            "{funnel:?}"
        );
    }
}
