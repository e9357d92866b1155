//! Traffic as a service sees it: every form of HTTP/1.1 message, on connections of every kind.

use std::{io, net::SocketAddr};

use crate::client::{Answer, Connection};

/// Sends rounds of [`round`]; returns the number of answered requests.
pub fn varied(servers: &[SocketAddr], rounds: u32) -> u64 {
    let mut answered = 0;
    for number in 0..rounds {
        for &server in servers {
            answered += round(server, number)
                .unwrap_or_else(|error| panic!("production did not answer in round {number}: {error}"));
        }
    }
    answered
}

/// One client's visit: a long connection with all forms, and a few short ones.
fn round(server: SocketAddr, number: u32) -> io::Result<u64> {
    let mut long = Long {
        connection: Connection::open(server)?,
        answered: 0,
    };
    long.reads()?;
    long.writes(number)?;
    long.pipelined()?;
    let Long { mut answered, .. } = long;
    // HTTP/1.0: until the connection closes.
    let mut old = Connection::open(server)?;
    old.send(b"GET /64k.json HTTP/1.0\r\n\r\n")?;
    expect(&old.read("GET")?, 200);
    let mut last = Connection::open(server)?;
    expect(&last.get("/1k.json", "Connection: close\r\n")?, 200);
    answered += 2;
    Ok(answered)
}

/// A kept-alive connection that counts its answers.
struct Long {
    connection: Connection,
    answered: u64,
}

impl Long {
    fn get(&mut self, target: &str, extra: &str, status: u16) -> io::Result<Answer> {
        let answer = self.connection.get(target, extra)?;
        expect(&answer, status);
        self.answered += 1;
        Ok(answer)
    }

    fn reads(&mut self) -> io::Result<()> {
        for target in ["/1k.json", "/64k.json", "/200k.json", "/1m.bin", "/page.html"] {
            self.get(target, "", 200)?;
        }
        for target in ["/zip/64k.json", "/zip/page.html"] {
            let zipped = self.get(target, "Accept-Encoding: gzip\r\n", 200)?;
            assert_eq!(zipped.header("content-encoding"), Some("gzip"), "{target}");
        }
        for target in ["/chunked/1k.json", "/chunked/200k.json", "/chunked/page.html"] {
            let chunked = self.get(target, "", 200)?;
            assert_eq!(chunked.header("transfer-encoding"), Some("chunked"), "{target}");
        }
        let first = self.get("/1k.json", "", 200)?;
        let etag = first.header("etag").expect("nginx sends one").to_owned();
        self.get("/1k.json", &format!("If-None-Match: {etag}\r\n"), 304)?;
        self.get("/64k.json", "Range: bytes=100-20000\r\n", 206)?;
        self.get("/empty", "", 204)?;
        self.get("/moved", "", 301)?;
        self.get("/gone", "", 410)?;
        self.get("/no/such/file", "", 404)?;
        for target in ["/1m.bin", "/chunked/64k.json", "/no/such/file"] {
            self.connection.request("HEAD", target, "")?;
            self.answered += 1;
        }
        Ok(())
    }

    fn writes(&mut self, number: u32) -> io::Result<()> {
        for (target, length) in [
            ("/read", 10),
            ("/read", 100_000),
            ("/early", 10),
            ("/early", 300_000),
        ] {
            let body = vec![b'a' + u8::try_from(number % 26).unwrap_or(0); length];
            expect(&self.connection.post(target, "", &body)?, 200);
            expect(&self.connection.post_chunked(target, "", &body, 7_000)?, 200);
            self.answered += 2;
        }
        // The server asks for the body with 100 (Continue).
        self.connection.send(
            b"POST /read HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
        )?;
        self.connection.send(b"hello")?;
        expect(&self.connection.read("POST")?, 200);
        self.answered += 1;
        Ok(())
    }

    /// Several requests before the first answer.
    fn pipelined(&mut self) -> io::Result<()> {
        let targets = ["/1k.json", "/64k.json", "/empty", "/page.html", "/1k.json"];
        let heads = targets.map(|target| format!("GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n"));
        self.connection.send(heads.concat().as_bytes())?;
        for target in targets {
            let answer = self.connection.read("GET")?;
            expect(&answer, if target == "/empty" { 204 } else { 200 });
            self.answered += 1;
        }
        Ok(())
    }
}

fn expect(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{:?}", answer.headers);
}
