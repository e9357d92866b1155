use super::{Broken, Decoder, Fields};
use crate::limits::Limits;

fn read(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Broken> {
    decoder.decode(block, &Limits::default())
}

fn shown(fields: &Fields) -> Vec<String> {
    let text = |range: &core::ops::Range<u32>| String::from_utf8_lossy(fields.part(range)).into_owned();
    let line = |line: &super::Line| format!("{}: {}", text(&line.name), text(&line.value));
    fields.lines.iter().map(line).collect()
}

fn known(decoder: &mut Decoder, block: &[u8]) -> Vec<String> {
    let fields = read(decoder, block).unwrap();
    assert!(!fields.unknown);
    shown(&fields)
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

/// RFC 7541, appendix C.4: three requests with Huffman coding.
#[test]
fn requests_of_the_rfc() {
    let mut decoder = Decoder::new();
    assert_eq!(
        known(&mut decoder, &bytes("828684418cf1e3c2e5f23a6ba0ab90f4ff")),
        [
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com"
        ]
    );
    assert_eq!(
        known(&mut decoder, &bytes("828684be5886a8eb10649cbf")),
        [
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
            "cache-control: no-cache"
        ]
    );
    assert_eq!(
        known(
            &mut decoder,
            &bytes("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")
        ),
        [
            ":method: GET",
            ":scheme: https",
            ":path: /index.html",
            ":authority: www.example.com",
            "custom-key: custom-value"
        ]
    );
}

/// RFC 7541, appendix C.5: three responses, a table of 256 bytes with evictions.
#[test]
fn responses_of_the_rfc() {
    let mut decoder = Decoder::new();
    decoder.allow(256);
    let first = bytes(
        "3fe101 4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54
         6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
    );
    let date = "date: Mon, 21 Oct 2013 20:13:21 GMT";
    let place = "location: https://www.example.com";
    assert_eq!(
        known(&mut decoder, &first),
        [":status: 302", "cache-control: private", date, place]
    );
    assert_eq!(
        known(&mut decoder, &bytes("4803333037c1c0bf")),
        [":status: 307", "cache-control: private", date, place]
    );
    let third = bytes(
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b
         48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
    );
    assert_eq!(
        known(&mut decoder, &third),
        [
            ":status: 200",
            "cache-control: private",
            "date: Mon, 21 Oct 2013 20:13:22 GMT",
            place,
            "content-encoding: gzip",
            "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
        ]
    );
    // Everything else was evicted.
    assert_eq!(
        known(&mut decoder, &[0xbe, 0xbf, 0xc0]).len(),
        3,
        "set-cookie, content-encoding, date"
    );
    assert!(read(&mut decoder, &[0xc1]).unwrap().unknown, "evicted");
}

#[test]
fn after_a_loss_only_later_insertions_are_known() {
    let mut decoder = Decoder::new();
    known(&mut decoder, b"\x40\x01a\x011\x40\x01b\x012");
    decoder.lose();
    let fields = read(&mut decoder, b"\xbe\x82\x40\x01c\x013\xbe\xbf").unwrap();
    assert!(fields.unknown);
    assert_eq!(shown(&fields), [":method: GET", "c: 3", "c: 3"]);
}

/// A name that is not known makes an entry whose place is known and whose name is not.
#[test]
fn an_unknown_name_is_inherited() {
    let mut decoder = Decoder::new();
    decoder.lose();
    let fields = read(&mut decoder, b"\x7e\x01v\xbe\x40\x01k\x01w\xbe\xbf").unwrap();
    assert!(fields.unknown);
    assert_eq!(shown(&fields), ["k: w", "k: w"]);
}

#[test]
fn an_update_to_zero_empties_the_table_and_an_entry_over_its_size_does_too() {
    let mut decoder = Decoder::new();
    known(&mut decoder, b"\x40\x01a\x011");
    assert_eq!(known(&mut decoder, b"\xbe"), ["a: 1"]);
    assert!(read(&mut decoder, b"\x20\xbe").unwrap().unknown);
    assert_eq!(known(&mut decoder, b"\x40\x01b\x012"), ["b: 2"]);
    assert!(
        read(&mut decoder, b"\xbe").unwrap().unknown,
        "it was not inserted"
    );
    // 34 bytes: one entry.
    known(&mut decoder, b"\x3f\x03\x40\x01c\x013\x40\x01d\x014");
    assert_eq!(known(&mut decoder, b"\xbe"), ["d: 4"]);
    assert!(read(&mut decoder, b"\xbf").unwrap().unknown);
    known(&mut decoder, b"\x40\x02ee\x0255");
    assert!(
        read(&mut decoder, b"\xbe").unwrap().unknown,
        "larger than the table"
    );
}

#[test]
fn what_no_receiver_accepts() {
    for (what, block) in [
        ("index 0", &b"\x80"[..]),
        ("an integer that ends early", b"\xff"),
        ("an integer over 32 bits", b"\xff\xff\xff\xff\xff\xff\x0f"),
        ("an integer with empty parts", b"\xff\x80\x80\x80\x80\x80\x80\x00"),
        ("a string that ends early", b"\x40\x05abc"),
        ("a value that is missing", b"\x40\x01a"),
        ("an update after a field", b"\x82\x20"),
        ("an update over what is allowed", b"\x3f\xe2\x1f"),
        ("invalid Huffman padding", b"\x40\x81\x00\x01a"),
    ] {
        let mut decoder = Decoder::new();
        known(&mut decoder, b"\x40\x01a\x011");
        assert!(read(&mut decoder, block).is_err(), "{what}");
        assert!(
            read(&mut decoder, b"\xbe").unwrap().unknown,
            "nothing is known after {what}"
        );
    }
}

#[test]
fn settings_bound_the_table_once_they_are_acknowledged() {
    let mut decoder = Decoder::new();
    assert!(
        read(&mut decoder, b"\x3f\xe1\x7f").is_err(),
        "16,384 bytes without SETTINGS"
    );
    let mut decoder = Decoder::new();
    decoder.allow(16_384);
    known(&mut decoder, b"\x3f\xe1\x7f\x40\x01a\x011");
    decoder.allow(64);
    // The update that is owed is missing: what the encoder evicted is not known.
    assert!(read(&mut decoder, b"\xbe").unwrap().unknown);
    let mut decoder = Decoder::new();
    known(&mut decoder, b"\x40\x01a\x011");
    decoder.allow(64);
    assert_eq!(known(&mut decoder, b"\x3f\x21\xbe"), ["a: 1"]);
    let mut decoder = Decoder::new();
    decoder.lose_settings();
    known(&mut decoder, b"\x3f\xe1\xff\x03");
}

/// One byte for each field: a block of 64 KiB could stand for a gigabyte.
#[test]
fn a_block_that_grows_is_cut_and_the_table_stays_right() {
    let mut decoder = Decoder::new();
    let mut block = b"\x40\x01n\x7f\xa1\x1e".to_vec();
    block.extend(core::iter::repeat_n(b'v', 4_000));
    block.extend(core::iter::repeat_n(0xbe, 60_000));
    block.extend(b"\x40\x01z\x019");
    let begin = std::time::Instant::now();
    let fields = read(&mut decoder, &block).unwrap();
    assert!(fields.too_large && fields.raw.len() <= Limits::default().head + 4_100);
    assert_eq!(known(&mut decoder, b"\xbe"), ["z: 9"]);
    // A long name for each two bytes.
    let mut block = b"\x20\x3f\xe1\x1f\x40\x7f\xa1\x1e".to_vec();
    block.extend(core::iter::repeat_n(b'n', 4_000));
    block.extend(b"\x00");
    block.extend(b"\x7e\x00".repeat(30_000));
    read(&mut decoder, &block).unwrap();
    assert!(begin.elapsed().as_secs() < 5);
}

#[test]
fn the_table_is_bounded_whatever_is_allowed() {
    let mut decoder = Decoder::new();
    decoder.allow(u32::MAX);
    known(&mut decoder, b"\x3f\xe0\xff\xff\xff\x0f");
    let value = vec![b'v'; 10_000];
    for _ in 0..50 {
        let mut block = b"\x40\x01n\x7f\x91\x4d".to_vec();
        block.extend(&value);
        known(&mut decoder, &block);
        assert!(decoder.held() <= super::super::table::CAP);
    }
    assert_eq!(known(&mut decoder, b"\xbe").len(), 1);
    assert!(
        read(&mut decoder, b"\xc6").unwrap().unknown,
        "beyond what is kept"
    );
}
