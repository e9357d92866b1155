use super::*;

fn settings() -> AnswerSettings {
    AnswerSettings::new(Limits {
        head: 1024,
        body: 8,
        ..Limits::default()
    })
}

/// Reads `bytes` in pieces of `size`, then the end of the connection.
fn read(method: &str, bytes: &[u8], size: usize) -> Result<Option<ReadAnswer>, Unread> {
    let settings = settings();
    let mut reader = AnswerReader::new(method.as_bytes(), 100, &settings);
    for piece in bytes.chunks(size) {
        if reader.read(piece)? < piece.len() {
            break;
        }
    }
    reader.end();
    Ok(reader.finish())
}

/// Status, kept content, length of the content, and whether the connection stays open.
type Facts = (u16, Vec<u8>, u64, bool);

/// Method, bytes of the answer, and the facts that are read.
type Case = (&'static str, &'static [u8], u16, &'static [u8], u64, bool);

fn every_way(method: &str, bytes: &[u8]) -> Vec<Result<Option<Facts>, Unread>> {
    let whole = bytes.len().max(1);
    [1, 2, 7, whole]
        .map(|size| {
            read(method, bytes, size).map(|answer| {
                answer.map(|answer| {
                    (
                        answer.status,
                        answer.body.kept.to_vec(),
                        answer.body.len,
                        answer.keeps_open,
                    )
                })
            })
        })
        .into()
}

#[test]
fn answers_are_read_however_they_are_cut() {
    let cases: [Case; 9] = [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", 2, true),
        ("GET", b"\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, b"", 0, true),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", 200, b"", 0, true),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n", 200, b"", 0, false),
        ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", 2, false),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until th", 13, false),
        ("GET", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 101, b"", 0, false),
        (
            "GET",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n",
            200,
            b"abc",
            3,
            true,
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            200,
            b"abc",
            3,
            false,
        ),
    ];
    for (method, bytes, status, kept, len, keeps_open) in cases {
        for got in every_way(method, bytes) {
            let expected = (status, kept.to_vec(), len, keeps_open);
            assert_eq!(got, Ok(Some(expected)), "{}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn what_is_no_answer_or_over_a_bound_is_refused() {
    let long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; 2000]].concat();
    let blank = [b'\n'; 2000];
    let extension = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;".as_slice(),
        &[b'x'; 5000],
    ]
    .concat();
    let cases: [(&[u8], Unread); 9] = [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", Unread::Protocol),
        (b"\x00\x01\x02", Unread::Protocol),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            Unread::Protocol,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            Unread::Protocol,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            Unread::Protocol,
        ),
        (&long, Unread::Protocol),
        (&blank, Unread::Protocol),
        (&extension, Unread::Protocol),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
            Unread::TooLarge,
        ),
    ];
    for (bytes, why) in cases {
        for got in every_way("GET", bytes) {
            assert_eq!(got, Err(why), "{}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn an_answer_that_ends_early_is_none() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 2",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        for got in every_way("GET", bytes) {
            assert_eq!(got, Ok(None), "{}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn interim_responses_are_bounded_by_number_and_by_bytes() {
    let short = b"HTTP/1.1 102 Processing\r\n\r\n";
    let long = [
        b"HTTP/1.1 103 Early Hints\r\nLink: ".as_slice(),
        &[b'x'; 300],
        b"\r\n\r\n",
    ]
    .concat();
    let last = b"HTTP/1.1 204 No Content\r\n\r\n".as_slice();
    for (interim, most) in [(short.as_slice(), MOST_INTERIM), (&long, 2)] {
        let enough = [interim.repeat(most).as_slice(), last].concat();
        for got in every_way("GET", &enough) {
            assert_eq!(got.map(|answer| answer.map(|answer| answer.0)), Ok(Some(204)));
        }
        let more = [interim.repeat(most + 2).as_slice(), last].concat();
        for got in every_way("GET", &more) {
            assert_eq!(got, Err(Unread::Protocol));
        }
    }
}

#[test]
fn an_odd_field_is_named_and_costs_the_connection_only_where_it_frames() {
    for (field, name, keeps_open) in [
        ("X: a\r\n b", "x", true),
        ("X : a", "x", true),
        ("Content-Length : 2", "content-length", false),
        ("Content-Length:\r\n 2", "content-length", false),
    ] {
        let length = if name == "x" { "Content-Length: 2\r\n" } else { "" };
        let bytes = format!("HTTP/1.1 200 OK\r\n{length}{field}\r\n\r\nok");
        let answer = read("GET", bytes.as_bytes(), 5).unwrap().unwrap();
        assert_eq!(
            (&answer.body.kept[..], answer.keeps_open),
            (&b"ok"[..], keeps_open),
            "{field}"
        );
        let names: Vec<&str> = answer.odd.iter().map(|odd| odd.name.as_str()).collect();
        assert_eq!(names, [name], "{field}");
    }
}
