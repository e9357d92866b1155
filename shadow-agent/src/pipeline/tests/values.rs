//! Writes replayed to a system with identifiers of its own, with a paused clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use shadow_core::{
    compare::{Failure, Outcome, ShadowResponse},
    gate::{Gate, Selector, WritePolicy, Writes},
    rewrite::{Marker, RewritePolicy, RewriteRules, ShadowRequest},
    values::TableLimits,
};
use shadow_proto::exchange::{Body, Exchange, Headers, Incomplete};
use tokio::{task::JoinHandle, time::Instant};

use super::{
    super::{
        capture::{Entry, FanOut},
        causal::ValueSettings,
        dispatch::{Dispatcher, Policy},
        idle_cpu::IdleCpuGate,
        lane::Lane,
        pairs::Pairs,
        settings::{PairSettings, Role},
    },
    Funnel, comparator, exchange, exchange_with, failed, final_funnel, ledger, skipped,
};
use crate::replay::{Answer, ReplaySettings, Shadow, Unsendable};

/// Orders with identifiers of its own, which count from 900. An order takes as long to create as its name says:
/// `slow` a second, `hang` forever, `reset` fails.
#[derive(Clone, Debug, Default)]
struct Store(Arc<Mutex<Orders>>);

#[derive(Debug, Default)]
struct Orders {
    named: HashMap<u32, String>,
    next: u32,
    /// Every request, and when it came.
    sent: Vec<(String, Instant)>,
}

impl Store {
    fn sent(&self) -> Vec<String> {
        let orders = self.0.lock().unwrap();
        orders.sent.iter().map(|(line, _)| line.clone()).collect()
    }

    fn at(&self, line: &str) -> Instant {
        let orders = self.0.lock().unwrap();
        orders.sent.iter().find(|(sent, _)| sent == line).unwrap().1
    }
}

fn order(id: u32, name: &str) -> String {
    format!(r#"{{"id":{id},"name":"{name}"}}"#)
}

impl Shadow for Store {
    type Prepared = (String, String);

    fn prepare(&self, request: &ShadowRequest) -> Result<Self::Prepared, Unsendable> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let line = format!("{} {}", text(&request.method), text(&request.target));
        Ok((line, text(&request.body)))
    }

    async fn answer(&self, (line, name): Self::Prepared) -> Answer {
        self.0.lock().unwrap().sent.push((line.clone(), Instant::now()));
        let made = |status, location: Option<String>, body: String| {
            let location = location.map(|to| ("Location", to));
            let json = ("Content-Type", "application/json".to_owned());
            Outcome::Response(ShadowResponse {
                status,
                headers: Headers::from_pairs(location.into_iter().chain([json])),
                trailers: Headers::default(),
                body: Body::whole(body),
                first_byte: Duration::from_millis(1),
                total: Duration::from_millis(2),
            })
        };
        if line == "POST /orders" {
            match &*name {
                "slow" => tokio::time::sleep(Duration::from_secs(1)).await,
                "hang" => std::future::pending().await,
                "reset" => return Outcome::Failed(Failure::Reset).into(),
                _ => tokio::task::yield_now().await,
            }
            let mut orders = self.0.lock().unwrap();
            orders.next += 1;
            let id = 900 + orders.next;
            orders.named.insert(id, name.clone());
            return made(201, Some(format!("/orders/{id}")), order(id, &name)).into();
        }
        let id = line.rsplit('/').next().and_then(|id| id.parse().ok());
        let orders = self.0.lock().unwrap();
        match id.and_then(|id| Some((id, orders.named.get(&id)?))) {
            Some((id, name)) => made(200, None, order(id, name)).into(),
            None => made(404, None, "{}".to_owned()).into(),
        }
    }
}

/// An order that production made: it counts from 8000.
fn created(id: u32, name: &str) -> Box<Exchange> {
    let mut made = exchange_with("POST", "/orders", &[("Cookie", "user=a")], order(id, name));
    made.request.body = Body::whole(name.to_owned());
    answered(&mut made, 201, Some(format!("/orders/{id}")));
    made
}

fn read(id: u32, name: &str) -> Box<Exchange> {
    let cookie = format!("user=of{id}");
    let mut made = exchange_with(
        "GET",
        &format!("/orders/{id}"),
        &[("Cookie", &cookie)],
        order(id, name),
    );
    answered(&mut made, 200, None);
    made
}

fn answered(exchange: &mut Exchange, status: u16, location: Option<String>) {
    let response = exchange.response.as_mut().unwrap();
    response.status = status;
    let location = location.map(|to| ("Location", to));
    let json = ("Content-Type", "application/json".to_owned());
    response.headers = Headers::from_pairs(location.into_iter().chain([json]));
}

struct Bench {
    lane: Arc<Lane>,
    desk: FanOut,
    store: Store,
}

fn values() -> ValueSettings {
    ValueSettings {
        limits: TableLimits {
            entries: 1000,
            bytes: 1 << 20,
            ttl: Duration::from_hours(1),
        },
        replace: true,
        compare: true,
        order: true,
        wait: Duration::from_secs(5),
        waiting: 100,
    }
}

impl Bench {
    fn new(values: Option<ValueSettings>, concurrency: usize) -> Self {
        let settings = ReplaySettings {
            concurrency,
            ..ReplaySettings::default()
        };
        let lane = Lane::new("shadow".to_owned(), Role::Shadow, ledger(), Some(settings)).learning(values);
        let lane = Arc::new(lane);
        let writes = WritePolicy::from(Writes::Replay);
        let gate = Gate::new(Selector::default(), writes, vec![Marker::default()]);
        let desk = FanOut {
            ownership: Arc::default(),
            entries: vec![Entry::new(Arc::clone(&lane), Some(gate))],
            courtesy: IdleCpuGate::new(Arc::default()),
        };
        Self {
            lane,
            desk,
            store: Store::default(),
        }
    }

    fn run(&self) -> JoinHandle<()> {
        let (marker, writes) = (Marker::default(), Writes::Replay.into());
        let rewrite = RewritePolicy::new(RewriteRules::default(), "shadow", &marker, writes, [0; 32]);
        let policy = Policy {
            rewrite: rewrite.unwrap(),
            comparator: Arc::new(comparator()),
            pairs: PairSettings::default(),
            now: None,
        };
        let pairs = Pairs::new(PairSettings::default(), Vec::new());
        let dispatcher = Dispatcher::new(Arc::clone(&self.lane), self.store.clone(), policy, pairs);
        tokio::spawn(dispatcher.run())
    }

    fn admit(&mut self, all: impl IntoIterator<Item = Box<Exchange>>) {
        for exchange in all {
            self.desk.admit(exchange);
        }
        self.desk.flush();
    }

    async fn finish(self, run: JoinHandle<()>) -> Funnel {
        self.lane.queue.close();
        run.await.unwrap();
        assert_eq!((self.lane.queue.len(), self.lane.queue.bytes()), (0, 0));
        final_funnel(&self.lane.books)
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_for_the_creation_of_what_it_reads_and_nothing_else_does() {
    let mut bench = Bench::new(Some(values()), 4);
    let run = bench.run();
    let start = Instant::now();
    let reads = (0..8).map(|_| read(8001, "slow"));
    bench.admit([created(8001, "slow")].into_iter().chain(reads));
    bench.admit((1..4).map(|id| exchange("GET", &format!("/seeded/{id}"), "{}")));
    let store = bench.store.clone();
    let funnel = bench.finish(run).await;
    assert_eq!(
        store
            .sent()
            .iter()
            .filter(|line| **line == "GET /orders/901")
            .count(),
        8
    );
    assert_eq!(store.at("GET /seeded/3") - start, Duration::ZERO, "never delayed");
    let delay = store.at("GET /orders/901") - start;
    assert!(
        delay >= Duration::from_secs(1) && delay <= Duration::from_millis(1001),
        "{delay:?}"
    );
    // The seeded ones are no orders of either system.
    assert_eq!((funnel.matched, funnel.mismatched), (9, 3), "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn without_learning_requests_have_the_identifiers_of_production() {
    let mut bench = Bench::new(None, 1);
    let run = bench.run();
    bench.admit([created(8001, "a"), read(8001, "a")]);
    let store = bench.store.clone();
    let funnel = bench.finish(run).await;
    assert_eq!(store.sent(), ["POST /orders", "GET /orders/8001"]);
    assert_eq!((funnel.matched, funnel.mismatched), (0, 2), "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn one_after_the_other_every_answer_is_compared_with_its_own() {
    let mut bench = Bench::new(Some(values()), 1);
    let run = bench.run();
    let all = (0..50).flat_map(|n| [created(8000 + n, "a"), read(8000 + n, "a")]);
    bench.admit(all.collect::<Vec<_>>());
    // Production's name is another one.
    bench.admit([read(8007, "b")]);
    let funnel = bench.finish(run).await;
    assert_eq!((funnel.matched, funnel.mismatched), (100, 1), "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_failed_or_a_lost_creation_is_not_sent() {
    let mut bench = Bench::new(Some(values()), 4);
    let run = bench.run();
    let mut torn = created(8002, "torn");
    torn.incomplete = Some(Incomplete::RequestGap);
    bench.admit([
        created(8001, "reset"),
        read(8001, "reset"),
        torn,
        read(8002, "torn"),
    ]);
    let store = bench.store.clone();
    let funnel = bench.finish(run).await;
    assert_eq!(store.sent(), ["POST /orders"]);
    assert_eq!(skipped(&funnel, "value_unknown"), 2, "{funnel:?}");
    assert_eq!(failed(&funnel, "reset"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_does_not_come_in_time_is_not_waited_for() {
    let mut bench = Bench::new(Some(values()), 4);
    let run = bench.run();
    let start = Instant::now();
    bench.admit([created(8001, "hang"), read(8001, "hang"), read(8001, "hang")]);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let so_far = super::funnel(&bench.lane.books);
    assert_eq!(
        skipped(&so_far, "waiting_for_value"),
        2,
        "after {:?}",
        start.elapsed()
    );
    bench.lane.switch.kill();
    let funnel = bench.finish(run).await;
    assert_eq!(skipped(&funnel, "waiting_for_value"), 2, "{funnel:?}");
    assert_eq!(failed(&funnel, "cancelled"), 1, "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_wait_than_there_is_room_for() {
    let few = ValueSettings {
        waiting: 3,
        ..values()
    };
    let mut bench = Bench::new(Some(few), 4);
    let run = bench.run();
    bench.admit(
        [created(8001, "slow")]
            .into_iter()
            .chain((0..10).map(|_| read(8001, "slow"))),
    );
    let funnel = bench.finish(run).await;
    assert_eq!(skipped(&funnel, "waiting_for_value"), 7, "{funnel:?}");
    assert_eq!(funnel.matched, 4, "{funnel:?}");
}

#[tokio::test(start_paused = true)]
async fn the_kill_switch_ends_those_that_wait() {
    let mut bench = Bench::new(Some(values()), 4);
    let run = bench.run();
    bench.admit([created(8001, "hang"), read(8001, "hang")]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.lane.switch.kill();
    let funnel = bench.finish(run).await;
    assert_eq!(skipped(&funnel, "killed"), 1, "{funnel:?}");
    assert_eq!(failed(&funnel, "cancelled"), 1, "{funnel:?}");
}
