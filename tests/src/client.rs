//! A raw HTTP/1.1 client: it sends exactly what the test wrote, on connections that the test controls.
//!
//! Not hyper: the agent replays with it, and a fault in both would go unnoticed.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// The longest wait for one operation.
const PATIENCE: Duration = Duration::from_secs(10);

/// A response as received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Fields in order.
    pub headers: Vec<(String, String)>,
    /// Content, without chunked coding.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first value of a field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects, with a timeout of 10 s for every operation.
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&server, PATIENCE)?)
    }

    /// Over a connection that exists, with the same timeout.
    pub fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Sends bytes unchanged.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// GET with extra header lines (each with its CRLF); returns the answer.
    pub fn get(&mut self, target: &str, extra: &str) -> io::Result<Answer> {
        self.request("GET", target, extra)
    }

    /// A request without a body; returns the answer.
    pub fn request(&mut self, method: &str, target: &str, extra: &str) -> io::Result<Answer> {
        self.send(format!("{method} {target} HTTP/1.1\r\nHost: shop\r\n{extra}\r\n").as_bytes())?;
        self.read(method)
    }

    /// POST with a Content-Length; returns the answer.
    pub fn post(&mut self, target: &str, extra: &str, body: &[u8]) -> io::Result<Answer> {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: shop\r\n{extra}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(head.as_bytes())?;
        self.send(body)?;
        self.read("POST")
    }

    /// POST in chunks of `chunk` bytes; returns the answer.
    pub fn post_chunked(
        &mut self,
        target: &str,
        extra: &str,
        body: &[u8],
        chunk: usize,
    ) -> io::Result<Answer> {
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: shop\r\n{extra}Transfer-Encoding: chunked\r\n\r\n");
        self.send(head.as_bytes())?;
        for part in body.chunks(chunk) {
            let mut bytes = format!("{:x}\r\n", part.len()).into_bytes();
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
            self.send(&bytes)?;
        }
        self.send(b"0\r\n\r\n")?;
        self.read("POST")
    }

    /// Reads one final response to a request with `method`; interim responses are skipped.
    pub fn read(&mut self, method: &str) -> io::Result<Answer> {
        loop {
            let mut answer = self.head()?;
            if (100..200).contains(&answer.status) && answer.status != 101 {
                continue;
            }
            let empty = method == "HEAD" || matches!(answer.status, 101 | 204 | 304);
            if !empty {
                answer.body = self.body(&answer)?;
            }
            return Ok(answer);
        }
    }

    fn head(&mut self) -> io::Result<Answer> {
        let start = self.line()?;
        let status = start
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| bad("no status"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| bad("no colon in a field"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Answer {
            status,
            headers,
            body: Vec::new(),
        })
    }

    fn body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if answer
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            loop {
                let size = self.line()?;
                let size = usize::from_str_radix(&size, 16).map_err(|error| bad(&error.to_string()))?;
                let start = body.len();
                body.resize(start + size, 0);
                self.stream.read_exact(&mut body[start..])?;
                self.line()?;
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        match answer.header("content-length").map(str::parse) {
            Some(Ok(length)) => {
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            Some(Err(_)) => return Err(bad("content-length is no number")),
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
