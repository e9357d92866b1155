//! The services and clients of `cargo xtask cluster`: each request has an id, and both sides count by it.
//!
//! They run in pods, so they are instructed, and asked what they have seen, on a port of their own ([`CONTROL`]).
//! One thread per connection, blocking: the load is some hundred requests a second.

pub mod serve;
pub mod visit;

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// The port on which they are asked.
pub const CONTROL: u16 = 9999;

/// The header field with the id of a request.
pub const ID: &str = "x-id";

/// A request as read, without its content.
#[derive(Debug, Default)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Of [`ID`].
    pub id: String,
    /// It is a replay of Shadow's.
    pub is_replay: bool,
}

impl Request {
    /// The path's last segment, as a number.
    pub fn number(&self) -> u64 {
        let last = self.target.rsplit('/').next().unwrap_or_default();
        last.parse().unwrap_or(0)
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .next()
    }
}

/// Milliseconds since 1970: pods and the driver are on one machine.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens, and answers each request with the JSON that `answer` makes of it.
pub fn listen(port: u16, answer: impl Fn(&Request) -> String + Clone + Send + 'static) -> io::Result<()> {
    let listener = TcpListener::bind(("::", port))?;
    for stream in listener.incoming() {
        let (stream, answer) = (stream?, answer.clone());
        thread::spawn(move || drop(serve_connection(stream, &answer)));
    }
    Ok(())
}

fn serve_connection(stream: TcpStream, answer: &impl Fn(&Request) -> String) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let body = answer(&request);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        reader.get_mut().write_all((head + &body).as_bytes())?;
    }
    Ok(())
}

/// The next request; `None` at the end of the connection.
fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut request = Request {
        target: line.split(' ').nth(1).unwrap_or_default().to_owned(),
        ..Request::default()
    };
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            ID => value.clone_into(&mut request.id),
            "shadow-replay" => request.is_replay = true,
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
    io::copy(&mut reader.take(length), &mut io::sink())?;
    Ok(Some(request))
}
