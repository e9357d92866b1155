//! Tokens that replace captured credentials: from a file, or from a command.
//!
//! Owns: one thread for each source, which keeps the current token where the replays find it without waiting. Bounds:
//! the length of a token, the time a command may run. Drops: nothing; while a token is missing the requests that need
//! it are skipped as `no_credentials`. Bias: no token rather than an old or a doubtful one.

mod command;
mod file;
mod settings;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use shadow_core::rewrite::{CredentialPlace, TokenSource, is_token};

use self::{
    command::{Command, Group},
    file::File,
};
pub use settings::Replace;

/// How often a source checks whether there is something to do.
const TURN: Duration = Duration::from_millis(100);

/// A longer token is refused.
const LONGEST: u64 = 16 << 10;

/// A source as the replays see it.
pub struct Held {
    /// The credential that it is the source of.
    replace: Replace,
    /// The name of the source in warnings; never the token.
    name: String,
    token: ArcSwapOption<Bytes>,
    failing: AtomicBool,
    /// Until [`Held::start`].
    waiting: Mutex<Option<Box<dyn Source>>>,
    /// Of its command.
    group: Arc<Group>,
}

/// Result of a turn of a source.
enum News {
    /// Nothing new.
    Same,
    /// This is the current token.
    Token(Bytes),
    /// There is no token, and the reason.
    None(String),
    /// The current token remains valid, but its renewal failed.
    Late(String),
}

/// A source of a token.
trait Source: Send {
    /// Called every [`TURN`]; may take as long as the token's own time-out.
    fn turn(&mut self) -> News;
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({}, {})", self.name, self.token.load().is_some())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end();
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

    /// Follows the source from now on, in a thread that ends when nothing holds it. A second call does nothing.
    ///
    /// Separate from [`source`], because a command must not run before the agent is confined: it inherits that.
    pub fn start(self: &Arc<Self>) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut source) = waiting else { return };
        let watched = Arc::downgrade(self);
        let place = self.replace.place();
        let spawned = thread::Builder::new()
            .name("shadow-token".to_owned())
            .spawn(move || watch(&watched, &place, &mut *source));
        if let Err(error) = spawned {
            self.token.store(None);
            tracing::warn!(source = self.name, %error, "no thread for a token; it is not renewed");
        }
    }

    /// Kills a running command, with everything that it has started, and starts no more.
    pub fn end(&self) {
        self.group.end();
    }

    /// The reason why requests are skipped, or soon may be.
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

/// The source of one credential, with its first token if a file has it. It is followed from [`Held::start`] on.
pub fn source(replace: &Replace) -> Arc<Held> {
    let group = Arc::new(Group::default());
    let (name, mut source): (String, Box<dyn Source>) = match &replace.file {
        Some(file) => (file.display().to_string(), Box::new(File::new(file.clone()))),
        None => (
            format!(
                "the command {}",
                replace.command.first().map_or("", String::as_str)
            ),
            Box::new(Command::new(replace, Arc::clone(&group))),
        ),
    };
    let first = replace.file.is_some().then(|| source.turn());
    let held = Arc::new(Held {
        replace: replace.clone(),
        name,
        token: ArcSwapOption::empty(),
        failing: AtomicBool::new(false),
        waiting: Mutex::new(Some(source)),
        group,
    });
    if let Some(news) = first {
        take(&held, &replace.place(), news);
    }
    held
}

fn watch(held: &Weak<Held>, place: &CredentialPlace, source: &mut dyn Source) {
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
fn take(held: &Held, place: &CredentialPlace, news: News) {
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
