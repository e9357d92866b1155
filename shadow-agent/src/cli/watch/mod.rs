//! `shadow status --watch` on a terminal: redrawn every second, `q` quits.
//!
//! Owns: the terminal while it runs, which is restored however it ends (a key, a signal, a panic), and a thread that
//! queries the agent, so that keys work even when the agent hangs. Bounds: [`view::KEPT`] seconds of rates.

mod causes;
mod compact;
mod view;

use std::{
    io,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    stdio::stdin,
};
use tokio::signal::unix::{SignalKind, signal};

use super::AgentLocation;
use crate::control::{
    client::{self, ClientError},
    proto::{Answer, Order},
    status::Status,
};
use view::View;

/// How often the agent is queried.
const PERIOD: Duration = Duration::from_secs(1);

/// How long one query may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often keys and signals are checked.
const LOOK: Duration = Duration::from_millis(100);

/// How long the view may take to end after its terminal is gone.
const LEAVE: Duration = Duration::from_secs(1);

/// The result of one query: a status, or why there is none.
type News = Result<Box<Status>, String>;

/// Shows the agent until a key or a signal ends it.
pub fn run(place: &AgentLocation) -> io::Result<()> {
    let news_rx = ask_again_and_again(place.clone());
    let (stop_tx, stop_rx) = mpsc::channel();
    signals(stop_tx.clone())?;
    end_with_the_terminal(stop_tx);
    on_terminal(|terminal| show(terminal, &news_rx, &stop_rx))
}

/// Takes the terminal while `work` runs and restores it afterwards, also after a panic.
fn on_terminal(work: impl FnOnce(&mut ratatui::DefaultTerminal) -> io::Result<()>) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let ended = work(&mut terminal);
    ratatui::restore();
    ended
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    news_rx: &Receiver<News>,
    stop_rx: &Receiver<()>,
) -> io::Result<()> {
    let mut view = View::default();
    loop {
        terminal.draw(|frame| view.draw(frame))?;
        let until = Instant::now() + PERIOD;
        // Wait until there is something to draw: a status, a key, another size.
        loop {
            if stop_rx.try_recv().is_ok() {
                return Ok(());
            }
            if event::poll(LOOK)? {
                match event::read()? {
                    Event::Key(key) if quits(key) => return Ok(()),
                    Event::Resize(..) => break,
                    _ => {}
                }
            }
            match news_rx.try_recv() {
                Ok(news) => {
                    view.take(news);
                    break;
                }
                Err(mpsc::TryRecvError::Disconnected) => {
                    return Err(io::Error::other("the asking thread has failed"));
                }
                Err(mpsc::TryRecvError::Empty) if Instant::now() >= until => break,
                Err(mpsc::TryRecvError::Empty) => {}
            }
        }
    }
}

/// Control-C is a key while the terminal is in raw mode.
fn quits(key: KeyEvent) -> bool {
    key.kind != KeyEventKind::Release
        && (matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
            || key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
}

fn ask_again_and_again(place: AgentLocation) -> Receiver<News> {
    let (news_tx, news_rx) = mpsc::sync_channel(1);
    thread::spawn(move || {
        loop {
            let news = match client::ask(&place.socket, Order::Status, PATIENCE) {
                Ok(Answer::Status(status)) => Ok(status),
                Ok(_) => Err("the agent answered what is no status".to_owned()),
                Err(ClientError::Absent(path)) => Err(format!("no agent answers on {}", path.display())),
                Err(error) => Err(error.to_string()),
            };
            if news_tx.send(news).is_err() {
                return;
            }
            thread::sleep(PERIOD);
        }
    });
    news_rx
}

/// Reports a request to end this process, so that the terminal can be restored first.
fn signals(stop_tx: Sender<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut terminate, mut hangup) = {
        let _entered = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        // Fails only when the view has ended already.
        stop_tx.send(()).unwrap_or_default();
    });
    Ok(())
}

/// Ends this process when its terminal is gone. There is a signal for this only if it is the controlling terminal, and
/// crossterm reads the end of the input again and again, without returning.
fn end_with_the_terminal(stop_tx: Sender<()>) {
    thread::spawn(move || {
        let mut terminal = [PollFd::from_borrowed_fd(stdin(), PollFlags::empty())];
        while poll(&mut terminal, None) == Err(Errno::INTR) {}
        stop_tx.send(()).unwrap_or_default();
        thread::sleep(LEAVE);
        // Nothing is left to be restored.
        std::process::exit(0);
    });
}

#[cfg(test)]
mod tests;
