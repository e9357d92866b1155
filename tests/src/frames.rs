//! HTTP/2 messages for generated captures, as usual clients and servers write them: the first ones of a connection
//! insert their fields into the dynamic tables, later ones refer to these, and the path is a literal in each request.

/// The client's connection preface and its SETTINGS; SETTINGS and their acknowledgement by the server.
pub(crate) const OPENINGS: [&[u8]; 2] = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0",
];

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The payload of a DATA frame.
const MOST: usize = 16 << 10;

const REQUEST: [(&str, &str); 4] = [
    (":authority", "shop.example"),
    ("user-agent", "made/1.0"),
    ("accept", "application/json"),
    ("accept-encoding", "identity"),
];

/// A GET request without content.
pub(crate) fn request(path: &str, stream: u32, is_first: bool) -> Vec<u8> {
    // :method GET and :scheme http of the static table; the name of :path.
    let mut block = vec![0x82, 0x86, 0x04];
    string(path, &mut block);
    fields(&REQUEST, is_first, &mut block);
    let mut out = Vec::new();
    frame(&mut out, (HEADERS, END_HEADERS | END_STREAM), stream, &block);
    out
}

/// A response 200 with content.
pub(crate) fn response(content: &[u8], stream: u32, is_first: bool) -> Vec<u8> {
    let length = content.len().to_string();
    let list = [
        ("content-type", "application/json"),
        ("content-length", &length),
        ("server", "nginx/1.26"),
        ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
    ];
    let mut block = vec![0x88];
    fields(&list, is_first, &mut block);
    let mut out = Vec::new();
    frame(&mut out, (HEADERS, END_HEADERS), stream, &block);
    let mut parts = content.chunks(MOST).peekable();
    while let Some(part) = parts.next() {
        let ends = if parts.peek().is_none() { END_STREAM } else { 0 };
        frame(&mut out, (DATA, ends), stream, part);
    }
    out
}

/// Inserts these fields, or refers to them where they are the newest entries.
fn fields(list: &[(&str, &str)], inserts: bool, block: &mut Vec<u8>) {
    for (place, (name, value)) in list.iter().enumerate() {
        if inserts {
            block.push(0x40);
            string(name, block);
            string(value, block);
        } else {
            // The newest entry has the index 62.
            block.push(0x80 | u8::try_from(61 + list.len() - place).expect("few fields"));
        }
    }
}

/// A string of HPACK without Huffman coding.
fn string(text: &str, block: &mut Vec<u8>) {
    block.push(u8::try_from(text.len()).expect("a short text"));
    block.extend(text.as_bytes());
}

fn frame(out: &mut Vec<u8>, (kind, flags): (u8, u8), stream: u32, payload: &[u8]) {
    let [_, length @ ..] = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    out.extend(length);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}
