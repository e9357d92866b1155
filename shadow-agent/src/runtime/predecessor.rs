//! The agent that hands over to another: its end of the connection, and its drain.
//!
//! Bounds: one successor; `agent.drain` for what is left. Bias: until the successor has the list, and again when it is
//! gone, every exchange is this agent's.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::geteuid;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        UnixListener,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::timeout,
};

use super::agent::Running;
use crate::{
    capture::{heartbeat, links::Links},
    control::server::{Socket, SocketFile},
    handover::{Facts, LINE, PULSE, Question, Reply, Step, VERSION},
    pipeline::{Cut, Pipeline},
    state::Lock,
};

/// How long the successor may take to attach its program.
const ATTACHING: Duration = Duration::from_mins(1);

/// How long it may take for anything else.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the capture thread may take to make the list.
const LISTING: Duration = Duration::from_secs(5);

/// Where a handover is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Alone,
    /// The process has asked.
    Asked(u32),
    /// It has the list.
    Draining(u32, Instant),
    /// Everything was finished.
    Ended,
}

/// The handovers of an agent.
#[derive(Debug, Default)]
pub(super) struct Handover {
    phase: Mutex<Phase>,
    /// Which record of unfinished work this agent writes.
    pub(super) record: u8,
    /// The lock on the state folder; not there while the predecessor has it.
    pub(super) lock: Mutex<Option<Lock>>,
    /// The predecessor's process, and how many connections it has left; none once it has ended.
    pub(super) before: Mutex<Option<(u32, u64)>>,
    /// The files of this agent's sockets, which a successor puts aside.
    pub(super) files: Vec<SocketFile>,
    /// Turns true when the metrics are the successor's.
    pub(super) leaves: watch::Sender<bool>,
}

impl Handover {
    pub(super) fn new(
        record: u8,
        lock: Option<Lock>,
        before: Option<(u32, u64)>,
        files: Vec<SocketFile>,
    ) -> Self {
        Self {
            record,
            files,
            lock: Mutex::new(lock),
            before: Mutex::new(before),
            ..Self::default()
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this agent keeps the files of the state folder.
    pub(super) fn has_state(&self) -> bool {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Gives the state folder up.
    pub(super) fn leave(&self) {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether the successor has the list.
    pub(super) fn is_draining(&self) -> bool {
        matches!(*self.phase(), Phase::Draining(..))
    }

    /// Whether everything was handed over.
    pub(super) fn is_over(&self) -> bool {
        *self.phase() == Phase::Ended
    }

    /// For people.
    pub(super) fn text(&self, left: u64) -> Option<String> {
        let before = *self.before.lock().unwrap_or_else(PoisonError::into_inner);
        match *self.phase() {
            Phase::Asked(pid) => return Some(format!("pid {pid} is about to take over")),
            Phase::Draining(pid, _) => {
                return Some(format!("handing over to pid {pid}, {left} connections left"));
            }
            Phase::Ended => return Some("handed over".to_owned()),
            Phase::Alone => {}
        }
        before.map(|(pid, left)| match left {
            u64::MAX => format!("taking over from pid {pid}, which does not answer"),
            left => format!("taking over from pid {pid}, {left} connections left there"),
        })
    }
}

impl Running {
    fn asked(&self, pid: u32) -> Result<Facts, String> {
        let mut phase = self.handover.phase();
        match *phase {
            Phase::Alone => {}
            Phase::Asked(other) | Phase::Draining(other, _) => {
                return Err(format!("pid {other} is taking over already"));
            }
            Phase::Ended => return Err("it has handed over already".to_owned()),
        }
        if !self.handover.has_state() {
            return Err("it is still taking over itself; try again".to_owned());
        }
        *phase = Phase::Asked(pid);
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        pipeline.ownership().prepare();
        Ok(Facts {
            pid: std::process::id(),
            record: self.handover.record,
            armed: self.control.is_armed().unwrap_or(false),
        })
    }

    fn is_prepared(&self) -> bool {
        let pipeline = self.pipeline.try_read();
        pipeline.is_ok_and(|pipeline| pipeline.ownership().is_prepared())
    }

    /// Makes the list, and gives up everything else.
    fn hand_over(&self, pid: u32) -> Result<Cut, String> {
        let cut_rx = {
            let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
            pipeline.ownership().order(heartbeat::now())
        };
        let Ok(cut) = cut_rx.recv_timeout(LISTING) else {
            return Err("the capture does not keep up".to_owned());
        };
        *self.handover.phase() = Phase::Draining(pid, Instant::now());
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.iter().for_each(Links::release);
        drop(links);
        self.handover.leaves.send_replace(true);
        tracing::info!(pid, connections = cut.len(), "handing over");
        self.keeper.tell("handover", "agent", &format!("to pid {pid}"));
        Ok(cut)
    }

    /// The successor is gone: everything is this agent's again.
    fn take_back(&self) {
        let mut phase = self.handover.phase();
        let was = std::mem::replace(&mut *phase, Phase::Alone);
        if was == Phase::Ended {
            *phase = was;
            return;
        }
        drop(phase);
        if let Ok(pipeline) = self.pipeline.try_read() {
            pipeline.ownership().take_all();
        }
        if let Phase::Draining(pid, _) = was {
            for file in &self.handover.files {
                if let Err(error) = file.restore() {
                    tracing::warn!(%error, "a socket cannot be put back in its place");
                }
            }
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Err(error)) = links.as_mut().map(Links::claim) {
                tracing::error!(%error, "the interfaces are locked by another agent");
            }
            drop(links);
            tracing::warn!(pid, "the successor has ended: this agent continues");
            self.keeper.tell(
                "handover",
                "agent",
                &format!("pid {pid} has ended: this agent continues"),
            );
        }
    }

    /// Connections with exchanges that this agent has to finish.
    pub(super) fn left(&self) -> u64 {
        let pipeline = self.pipeline.read().unwrap_or_else(PoisonError::into_inner);
        pipeline.ownership().unfinished()
    }

    /// Whether nothing is left of a handover, or its time is over. Called a few times a second.
    pub(super) fn is_drained(&self, most: Duration) -> bool {
        let Phase::Draining(_, since) = *self.handover.phase() else {
            return false;
        };
        // Also a kill that reached the successor alone.
        if matches!(self.state.killed(), Ok(Some(_))) {
            if let Err(error) = self.control.disarm() {
                tracing::error!(%error, "the kernel program cannot be switched off");
            }
            self.with_pipeline(Pipeline::kill);
            return true;
        }
        let waiting = self.report_now().funnel.in_flight;
        // The counts are published a few times a second.
        let settled = since.elapsed() > Duration::from_millis(600);
        (settled && self.left() == 0 && waiting == 0) || since.elapsed() >= most
    }

    /// Everything is finished.
    pub(super) fn handed_over(&self) {
        let mut phase = self.handover.phase();
        if matches!(*phase, Phase::Draining(..)) {
            *phase = Phase::Ended;
        }
    }
}

/// Serves successors until dropped, one at a time.
pub(super) async fn serve(socket: Socket, agent: Arc<Running>) -> io::Result<()> {
    let listener = UnixListener::from_std(std::os::unix::net::UnixListener::from(socket.descriptor()?))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let peer = stream.peer_cred()?;
        if peer.uid() != 0 && peer.uid() != geteuid().as_raw() {
            continue;
        }
        let agent = Arc::clone(&agent);
        tokio::spawn(async move {
            let (read, write) = stream.into_split();
            let mut session = Session {
                read: BufReader::new(read),
                write,
                agent,
            };
            if let Err(error) = session.run().await {
                tracing::debug!(%error, "a successor is gone");
            }
        });
    }
}

struct Session {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    agent: Arc<Running>,
}

impl Session {
    async fn run(&mut self) -> io::Result<()> {
        let Question { v, step, pid } = timeout(PATIENCE, self.question()).await??;
        if v != VERSION || step != Step::Prepare {
            return self.refuse("it speaks another version".to_owned()).await;
        }
        let facts = match self.agent.asked(pid) {
            Ok(facts) => facts,
            Err(why) => return self.refuse(why).await,
        };
        // From here on the successor may be gone at any time.
        let done = self.succeeded(facts, pid).await;
        self.agent.take_back();
        done
    }

    async fn succeeded(&mut self, facts: Facts, pid: u32) -> io::Result<()> {
        let agent = Arc::clone(&self.agent);
        let prepared = async move {
            while !agent.is_prepared() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(PATIENCE, prepared).await.is_err() {
            return self.refuse("the capture does not keep up".to_owned()).await;
        }
        self.say(Reply {
            facts: Some(facts),
            ..Reply::default()
        })
        .await?;
        let Question { step: Step::Take, .. } = timeout(ATTACHING, self.question()).await?? else {
            return self.refuse("the list is to be asked for now".to_owned()).await;
        };
        let agent = Arc::clone(&self.agent);
        let cut = tokio::task::spawn_blocking(move || agent.hand_over(pid))
            .await
            .map_err(io::Error::other)?;
        match cut {
            Ok(cut) => {
                let cut = Some(cut.sent());
                self.say(Reply {
                    cut,
                    ..Reply::default()
                })
                .await?;
            }
            Err(why) => return self.refuse(why).await,
        }
        let mut byte = [0];
        loop {
            tokio::select! {
                // It has nothing more to say: this is its end.
                _gone = self.read.read(&mut byte) => return Ok(()),
                () = tokio::time::sleep(PULSE) => {}
            }
            if self.agent.handover.is_over() {
                let ended = Some(true);
                return self
                    .say(Reply {
                        ended,
                        ..Reply::default()
                    })
                    .await;
            }
            // While the pipeline is being stopped nobody answers.
            let agent = Arc::clone(&self.agent);
            let left = tokio::task::spawn_blocking(move || agent.left())
                .await
                .map_err(io::Error::other)?;
            let left = Some(left);
            self.say(Reply {
                left,
                ..Reply::default()
            })
            .await?;
        }
    }

    async fn question(&mut self) -> io::Result<Question> {
        let mut line = Vec::new();
        (&mut self.read).take(LINE).read_until(b'\n', &mut line).await?;
        Ok(serde_json::from_slice(&line)?)
    }

    async fn refuse(&mut self, why: String) -> io::Result<()> {
        let error = Some(why);
        self.say(Reply {
            error,
            ..Reply::default()
        })
        .await
    }

    async fn say(&mut self, reply: Reply) -> io::Result<()> {
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        timeout(PATIENCE, self.write.write_all(&line)).await?
    }
}
