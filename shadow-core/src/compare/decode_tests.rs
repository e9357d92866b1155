use std::io::Write as _;

use proptest::prelude::*;

use super::*;

const CAP: usize = 1 << 20;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn bare_deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Brotli, quality 11, of "hello brotli, hello brotli, hello brotli\n".
const BROTLI: &[u8] = &[
    0x1b, 0x28, 0x00, 0xf8, 0x1d, 0xa9, 0x53, 0x9f, 0x3c, 0x1c, 0x38, 0xe4, 0x3c, 0xa1, 0xcf, 0x53, 0x8a,
    0x82, 0xb0, 0x2a, 0x93, 0x4b, 0xb6, 0xb4, 0xb7, 0x52, 0x84, 0xa9, 0x78, 0x20, 0xac, 0x99, 0xfc, 0x32,
    0x04,
];
const BROTLI_TEXT: &[u8] = b"hello brotli, hello brotli, hello brotli\n";

fn run(coding: &str, body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    decode(&Headers::from_pairs([("Content-Encoding", coding)]), body, CAP).map(Cow::into_owned)
}

#[test]
fn every_coding_is_removed() {
    let text = b"the quick brown fox ".repeat(100);
    let plain = text.as_slice();
    for (coding, body) in [
        ("", plain.to_vec()),
        ("identity", plain.to_vec()),
        ("gzip", gzip(plain)),
        ("X-GZIP", gzip(plain)),
        ("deflate", zlib(plain)),
        ("deflate", bare_deflate(plain)),
        ("zstd", zstd(plain)),
        ("gzip, zstd", zstd(&gzip(plain))),
        (" zstd ,identity,, GZip ", gzip(&zstd(plain))),
        ("gzip", [gzip(&plain[..700]), gzip(&plain[700..])].concat()),
        ("zstd", [zstd(&plain[..700]), zstd(&plain[700..])].concat()),
        ("gzip", [gzip(plain), vec![0; 20]].concat()),
        ("gzip", [&gzip(plain)[..], b"\r\n"].concat()),
        ("UTF-8", plain.to_vec()),
        ("none", plain.to_vec()),
        ("binary, gzip", gzip(plain)),
        ("aws-chunked", plain.to_vec()),
        (
            "zstd",
            [&b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"[..], &zstd(plain)].concat(),
        ),
    ] {
        assert!(run(coding, &body).as_deref() == Ok(plain), "{coding:?}");
    }
    assert_eq!(run("br", BROTLI).as_deref(), Ok(BROTLI_TEXT));
    let twice = Headers::from_pairs([("Content-Encoding", "gzip"), ("content-encoding", "zstd")]);
    assert!(
        decode(&twice, &zstd(&gzip(plain)), CAP).as_deref() == Ok(plain),
        "two fields are one list"
    );
}

#[test]
fn a_transfer_coding_is_removed() {
    let headers = Headers::from_pairs([
        ("Transfer-Encoding", "gzip, chunked"),
        ("Content-Encoding", "zstd"),
    ]);
    let body = gzip(&zstd(b"x"));
    let decoded = decode(&headers, &body, CAP);
    assert_eq!(decoded.as_deref(), Ok(&b"x"[..]));
}

#[test]
fn an_empty_body_has_no_coding() {
    assert_eq!(run("gzip", b""), Ok(Vec::new()));
    assert_eq!(run("unheard-of", b""), Ok(Vec::new()));
}

#[test]
fn what_cannot_be_removed_has_a_name() {
    assert_eq!(run("compress", b"x"), Err(DecodeError::Unknown));
    assert!(run("gzip", &[gzip(b"x"), b"more".to_vec()].concat()).is_err());
    assert_eq!(
        run("gzip,gzip,gzip,gzip,gzip", b"x"),
        Err(DecodeError::TooManyCodings)
    );
    for coding in ["gzip", "deflate", "br", "zstd"] {
        assert!(
            matches!(run(coding, b"\xfe plain"), Err(DecodeError::Corrupt(_))),
            "{coding}"
        );
    }
}

#[test]
fn a_lenient_client_reads_what_is_there() {
    let lenient = |coding: &str, body: &[u8]| {
        let headers = Headers::from_pairs([("Content-Encoding", coding)]);
        assert!(decode(&headers, body, CAP).is_err(), "{coding}");
        leniently(&headers, body, CAP).map(Cow::into_owned)
    };
    let text = b"{\"price\":10}";
    let damaged = |mut body: Vec<u8>, from_end: usize| {
        let at = body.len() - from_end;
        body[at] ^= 1;
        body
    };
    for (coding, body) in [
        ("gzip", [gzip(text), b"more".to_vec()].concat()),
        ("gzip", damaged(gzip(text), 5)),
        ("gzip", gzip(text)[..gzip(text).len() - 8].to_vec()),
        ("gzip", text.to_vec()),
        ("br", text.to_vec()),
        ("zstd, gzip", text.to_vec()),
        ("gzip, gzip", gzip(text)),
    ] {
        assert_eq!(
            lenient(coding, &body).as_deref(),
            Some(&text[..]),
            "{coding} {body:?}"
        );
    }
    assert_eq!(lenient("gzip", b"\x89PNG\r\n\x1a\n"), None);
    assert_eq!(lenient("compress", text), None);
    assert_eq!(lenient("gzip", &gzip(&vec![0; CAP + 1])), None);
}

#[test]
fn a_gzip_file_is_read_whatever_the_fields_say() {
    assert_eq!(gzip_file(&gzip(b"x"), CAP).as_deref(), Some(&b"x"[..]));
    assert_eq!(gzip_file(b"x", CAP), None);
    assert_eq!(gzip_file(&gzip(b"x")[..12], CAP), None);
    assert_eq!(gzip_file(&gzip(&vec![0; CAP + 1]), CAP), None);
}

#[test]
fn a_cut_body_is_never_taken_for_a_whole_one() {
    let data: Vec<u8> = (0..3000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for (coding, body) in [
        ("gzip", gzip(&data)),
        ("deflate", zlib(&data)),
        ("deflate", bare_deflate(&data)),
        ("zstd", zstd(&data)),
        ("br", BROTLI.to_vec()),
    ] {
        for cut in 1..body.len().min(400) {
            for body in [&body[..cut], &body[..body.len() - cut]]
                .into_iter()
                .filter(|body| !body.is_empty())
            {
                assert!(run(coding, body).is_err(), "{coding} cut to {} bytes", body.len());
            }
        }
    }
}

#[test]
fn a_damaged_checksum_is_seen() {
    for (coding, mut body) in [
        ("gzip", gzip(b"some content")),
        ("deflate", zlib(b"some content")),
    ] {
        let last = body.len() - 1;
        body[if coding == "gzip" { last - 4 } else { last }] ^= 1;
        assert!(run(coding, &body).is_err(), "{coding}");
    }
}

#[test]
fn a_bomb_ends_at_the_cap() {
    let zeros = vec![0; 64 << 20];
    for (coding, bomb) in [
        ("gzip", gzip(&zeros)),
        ("deflate", zlib(&zeros)),
        ("zstd", zstd(&zeros)),
    ] {
        assert_eq!(run(coding, &bomb), Err(DecodeError::OverCap(CAP)), "{coding}");
        assert_eq!(
            run(&format!("{coding}, gzip"), &gzip(&bomb)),
            Err(DecodeError::OverCap(CAP)),
            "{coding}"
        );
    }
    let exact = vec![7; CAP];
    assert_eq!(run("gzip", &gzip(&exact)).map(|content| content.len()), Ok(CAP));
    assert_eq!(run("", &vec![7; CAP + 1]), Err(DecodeError::OverCap(CAP)));
    // A window of 2 GiB in the header of a frame of a few bytes.
    assert!(run("zstd", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00").is_err());
    let frames = zstd(b"").repeat(MAX_FRAMES + 1);
    assert_eq!(run("zstd", &frames), Err(DecodeError::Corrupt("zstd")));
}

proptest! {
    #[test]
    fn arbitrary_bytes_end_within_the_cap(
        body in prop::collection::vec(any::<u8>(), 0..600),
        coding in prop::sample::select(vec!["gzip", "deflate", "br", "zstd", "br, gzip"]),
        head in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\x00\0\0\0\0\x00\x03", b"\x78\x9c", b"\x28\xb5\x2f\xfd\x20"]),
    ) {
        let body = [head, &body].concat();
        let headers = Headers::from_pairs([("Content-Encoding", coding)]);
        if let Ok(content) = decode(&headers, &body, 4096) {
            prop_assert!(content.len() <= 4096, "{} bytes", content.len());
        }
    }

    #[test]
    fn damaged_bodies_end_within_the_cap(at in any::<prop::sample::Index>(), bit in 0..8u8, kind in 0..4usize) {
        let data = b"abcabcabcdefg".repeat(40);
        let (coding, mut body) = match kind {
            0 => ("gzip", gzip(&data)),
            1 => ("deflate", zlib(&data)),
            2 => ("zstd", zstd(&data)),
            _ => ("br", BROTLI.to_vec()),
        };
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        if let Ok(content) = run(coding, &body) {
            prop_assert!(content.len() <= CAP, "{} bytes", content.len());
        }
    }
}
