//! A shadow system controlled by the request target.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use shadow_core::{
    compare::{Failure, Outcome, ShadowResponse},
    rewrite::ShadowRequest,
};
use shadow_proto::exchange::{Body, Headers};

use tokio::time::Instant;

use crate::replay::{Answer, Shadow, Unsendable};

/// `/ok` answers `ok`, `/other` something else, `/slow` after a second, `/hang` never, `/reset` fails, `/changing`
/// answers differently each time, `/refused` fails before it was reached, `/panic` panics, `/panic-early` panics before
/// it is sent, `/unsendable` is refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    pub(super) sent: Arc<Mutex<Vec<String>>>,
    /// The send time of each.
    pub(super) at: Arc<Mutex<Vec<Instant>>>,
    /// While it is set, nothing is answered.
    pub(super) stalled: Arc<AtomicBool>,
    running: Arc<AtomicUsize>,
    pub(super) most: Arc<AtomicUsize>,
}

struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Script {
    /// The most requests that came within any `window`.
    pub(super) fn most_within(&self, window: Duration) -> usize {
        let at = self.at.lock().unwrap();
        let mut most = 0;
        let mut from = 0;
        for to in 0..at.len() {
            while at[to] - at[from] >= window {
                from += 1;
            }
            most = most.max(to - from + 1);
        }
        most
    }

    pub(super) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }
}

impl Shadow for Script {
    type Prepared = String;

    fn prepare(&self, request: &ShadowRequest) -> Result<String, Unsendable> {
        let target = String::from_utf8(request.target.to_vec()).unwrap();
        match &*target {
            "/unsendable" => Err(Unsendable::Target),
            "/panic-early" => panic!("as the test asked for"),
            _ => Ok(target),
        }
    }

    async fn answer(&self, target: String) -> Answer {
        let now = self.running.fetch_add(1, SeqCst) + 1;
        let _running = Running(&self.running);
        self.most.fetch_max(now, SeqCst);
        self.sent.lock().unwrap().push(target.clone());
        self.at.lock().unwrap().push(Instant::now());
        while self.stalled.load(SeqCst) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        match target.split('?').next().unwrap() {
            "/ok" => tokio::task::yield_now().await,
            "/slow" => tokio::time::sleep(Duration::from_secs(1)).await,
            "/hang" => std::future::pending().await,
            "/refused" => return Answer::unanswered(Failure::Connect),
            "/changing" => {
                let answers = ["ok", "something else"];
                let sent = self.sent();
                let times = sent.iter().filter(|sent| **sent == target).count();
                return response(answers[times % 2]).into();
            }
            "/reset" => return Outcome::Failed(Failure::Reset).into(),
            "/panic" => panic!("as the test asked for"),
            _ => return response("something else").into(),
        }
        response("ok").into()
    }
}

fn response(body: &'static str) -> Outcome {
    Outcome::Response(ShadowResponse {
        status: 200,
        headers: Headers::default(),
        trailers: Headers::default(),
        body: Body::whole(body),
        first_byte: Duration::from_millis(1),
        total: Duration::from_millis(2),
    })
}
