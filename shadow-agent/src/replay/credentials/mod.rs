//! Tokens that stand for captured credentials: from a file, or from a command.
//!
//! Owns: one thread for each source, which keeps what is in force where the replays find it without waiting. Bounds:
//! the length of a token, the time a command may run. Drops: nothing; while a token is missing the requests that need
//! it are skipped as `no_credentials`. Bias: no token rather than an old or a doubtful one.

mod command;
mod file;

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use shadow_core::rewrite::{Place, TokenSource, is_token};

use self::{command::Command, file::File};
use crate::config::rewrite::Replace;

/// How often a source looks whether there is something to do.
const TURN: Duration = Duration::from_millis(100);

/// A longer token is none.
const LONGEST: u64 = 16 << 10;

/// What the replays see of a source.
pub struct Held {
    /// What it is the source of.
    replace: Replace,
    /// How the source is called in warnings; never the token.
    name: String,
    token: ArcSwapOption<Bytes>,
    failing: AtomicBool,
}

/// What a source has to say for now.
enum News {
    /// Nothing new.
    Same,
    /// This token is in force.
    Token(Bytes),
    /// None is, and why.
    None(String),
    /// The token in force goes on, but its renewal failed.
    Late(String),
}

/// Where a token comes from.
trait Source: Send {
    /// Called every [`TURN`]; may take as long as the token's own time-out.
    fn turn(&mut self) -> News;
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({}, {})", self.name, self.token.load().is_some())
    }
}

impl TokenSource for Held {
    fn token(&self) -> Option<Bytes> {
        self.token.load().as_deref().cloned()
    }
}

impl Held {
    /// Whether it is the source of this credential.
    pub fn is_of(&self, replace: &Replace) -> bool {
        self.replace == *replace
    }

    /// Why requests are skipped, or soon may be.
    pub fn warning(&self) -> Option<String> {
        match (self.token.load().is_some(), self.failing.load(Relaxed)) {
            (false, _) => Some(format!(
                "no token from {}: requests that need it are skipped as no_credentials",
                self.name
            )),
            (true, true) => Some(format!(
                "the token from {} could not be renewed and runs out",
                self.name
            )),
            (true, false) => None,
        }
    }
}

/// The source of one credential, with its first token when a file has it. Its thread ends when nobody holds it.
pub fn source(replace: &Replace) -> Arc<Held> {
    let place = replace.place();
    let (name, mut source): (String, Box<dyn Source>) = match (&replace.file, replace.command.as_slice()) {
        (Some(file), _) => (file.display().to_string(), Box::new(File::new(file.clone()))),
        (None, command) => (
            format!("the command {}", command.first().map_or("", String::as_str)),
            Box::new(Command::new(command.to_vec(), replace.ttl.0, replace.timeout.0)),
        ),
    };
    let held = Arc::new(Held {
        replace: replace.clone(),
        name,
        token: ArcSwapOption::empty(),
        failing: AtomicBool::new(false),
    });
    if replace.file.is_some() {
        take(&held, &place, source.turn());
    }
    let watched = Arc::downgrade(&held);
    let spawned = thread::Builder::new()
        .name("shadow-token".to_owned())
        .spawn(move || watch(&watched, &place, &mut *source));
    if let Err(error) = spawned {
        held.token.store(None);
        tracing::warn!(source = held.name, %error, "no thread for a token; it is not renewed");
    }
    held
}

fn watch(held: &Weak<Held>, place: &Place, source: &mut dyn Source) {
    loop {
        let news = source.turn();
        let Some(held) = held.upgrade() else {
            return;
        };
        take(&held, place, news);
        drop(held);
        thread::sleep(TURN);
    }
}

/// Warns once each time that a source begins to fail.
fn take(held: &Held, place: &Place, news: News) {
    let failed = |why: &str, what: &str| {
        if !held.failing.swap(true, Relaxed) {
            tracing::warn!(source = held.name, why, "{what}");
        }
    };
    let skipped = "there is no token: requests that need it are skipped as no_credentials";
    match news {
        News::Same => {}
        News::Token(token) if is_token(&token, place) => {
            held.token.store(Some(Arc::new(token)));
            if held.failing.swap(false, Relaxed) {
                tracing::info!(source = held.name, "there is a token again");
            }
        }
        News::Token(_) => {
            held.token.store(None);
            failed(
                "what it gave can be no token: it must be one line of visible ASCII",
                skipped,
            );
        }
        News::None(why) => {
            held.token.store(None);
            failed(&why, skipped);
        }
        News::Late(why) => failed(&why, "the token could not be renewed and runs out"),
    }
}

#[cfg(test)]
mod tests;
