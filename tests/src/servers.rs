//! Shadow systems that misbehave, and one that records what it received.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::netns::Netns;

/// How a server answers a request that it has read.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Correctly, with these bytes as the content.
    Answer(Vec<u8>),
    /// With these bytes, including the head.
    Respond(Vec<u8>),
    /// With the bytes that this function returns for the request.
    Raw(fn(&Received) -> Vec<u8>),
    /// Correctly, after this long.
    Slow(Duration),
    /// Never.
    Silent,
    /// Closes in the middle of its answer.
    CloseEarly,
    /// Resets the connection.
    Reset,
    /// With bytes that are not HTTP.
    Garbage,
    /// With an answer that announces 10 GiB and is sent until the other end closes.
    Endless,
    /// With a head that never ends.
    EndlessHead,
}

/// A request as received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// When its last byte was read.
    pub at: Instant,
    /// Method and target.
    pub start: String,
    /// Fields in order, names as sent.
    pub headers: Vec<(String, String)>,
    /// Content, without chunked coding.
    pub body: Vec<u8>,
}

impl Received {
    /// The first value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A server in a namespace, one thread per connection. Ends with its guard.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    behaviour: Behaviour,
    over: AtomicBool,
    connections: AtomicU64,
    sent: AtomicU64,
    received: Mutex<Vec<Received>>,
}

impl Server {
    /// Listens in `namespace`.
    pub fn start(namespace: &Netns, address: SocketAddr, behaviour: Behaviour) -> Self {
        let listener = namespace
            .run(|| TcpListener::bind(address))
            .unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"));
        let shared = Arc::new(Shared {
            behaviour,
            over: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: Mutex::new(Vec::new()),
        });
        listener
            .set_nonblocking(true)
            .expect("a listener that does not block");
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Number of connections it was offered.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Bytes of content it wrote, for [`Behaviour::Endless`].
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared
            .received
            .lock()
            .expect("no thread of the server panics")
            .clone()
    }

    /// Requests by method and target.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in self.received() {
            *counts.entry(request.start).or_insert(0) += 1;
        }
        counts
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while !shared.over.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(shared);
                // A client that disconnects is not a fault of the server.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let mut stream = BufReader::new(stream);
    while !shared.over.load(Ordering::Relaxed) {
        let Some(request) = read_request(&mut stream)? else {
            return Ok(());
        };
        if let Ok(mut received) = shared.received.lock() {
            received.push(request.clone());
        }
        if !answer(stream.get_mut(), &request, shared)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Answers one request; false when the connection is finished.
fn answer(stream: &mut TcpStream, request: &Received, shared: &Shared) -> io::Result<bool> {
    match &shared.behaviour {
        Behaviour::Answer(body) => {
            respond(stream, body)?;
            Ok(true)
        }
        Behaviour::Respond(bytes) => {
            stream.write_all(bytes)?;
            Ok(true)
        }
        Behaviour::Raw(answer) => {
            stream.write_all(&answer(request))?;
            Ok(true)
        }
        Behaviour::Slow(wait) => {
            thread::sleep(*wait);
            respond(stream, b"{\"ok\":true}")?;
            Ok(true)
        }
        Behaviour::Silent => {
            while !shared.over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
            }
            Ok(false)
        }
        Behaviour::CloseEarly => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")?;
            Ok(false)
        }
        Behaviour::Reset => {
            // A linger time of zero makes close() send RST.
            rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO))?;
            Ok(false)
        }
        Behaviour::Garbage => {
            stream.write_all(&[0x00, 0xff, 0x16, 0x03].repeat(4096))?;
            Ok(false)
        }
        Behaviour::Endless => {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10737418240\r\n\r\n",
            )?;
            let block = vec![b'x'; 256 << 10];
            for _ in 0..(10_u64 << 30) / block.len() as u64 {
                stream.write_all(&block)?;
                shared.sent.fetch_add(block.len() as u64, Ordering::Relaxed);
            }
            Ok(true)
        }
        Behaviour::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            let block = b"x-more: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(1000);
            loop {
                stream.write_all(&block)?;
                shared.sent.fetch_add(block.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

fn respond(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())
}

fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Received>> {
    let start = line(stream)?;
    if start.is_empty() {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let text = line(stream)?;
        match text.split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None if text.is_empty() => break,
            None => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    let start = start.trim_end_matches(" HTTP/1.1").to_owned();
    let mut request = Received {
        at: Instant::now(),
        start,
        headers,
        body: Vec::new(),
    };
    if let Some(length) = request
        .header("content-length")
        .and_then(|value| value.parse().ok())
    {
        request.body = vec![0; length];
        stream.read_exact(&mut request.body)?;
    } else if request.header("transfer-encoding").is_some() {
        loop {
            let size = line(stream)?;
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let from = request.body.len();
            request.body.resize(from + size, 0);
            stream.read_exact(&mut request.body[from..])?;
            line(stream)?;
            if size == 0 {
                break;
            }
        }
    }
    Ok(Some(request))
}

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut bytes = Vec::new();
    stream.read_until(b'\n', &mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
