//! A real nginx with a generated configuration: production and shadow system of most promise tests.

use std::{fmt::Write as _, fs, net::SocketAddr, path::Path, time::Duration};

use crate::{
    client::Connection,
    netns::Netns,
    process::{Launch, Process, wait_until},
};

/// Files served at `/NAME`, by name and length.
pub const FILES: [(&str, usize); 5] = [
    ("1k.json", 1 << 10),
    ("64k.json", 64 << 10),
    ("200k.json", 200 << 10),
    ("1m.bin", 1 << 20),
    ("page.html", 9_000),
];

/// Answer to `/n/ANYTHING`, as in the generated recordings.
pub const NUMBERED: &str = r#"{"id":7,"name":"a thing","price":9.5,"tags":["new","blue"],"stock":{"here":3,"there":0},"description":"what a page of a shop says about one of its things, in a line or two, so that an answer is about as long as one is","seen":true}"#;

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    /// The process.
    pub process: Process,
}

impl Nginx {
    /// Starts it in a namespace, on every address of `port`, and waits until it answers on `address`.
    ///
    /// Two instances with the same `www` answer identically, validators included: ETag and Last-Modified come from the
    /// files.
    pub fn start(namespace: &Netns, name: &str, www: &Path, address: SocketAddr) -> Self {
        let directory = www.parent().expect("the files are inside a temporary directory");
        Self::configured(namespace, &directory.join(name), address, |home| {
            config(home, www, address.port())
        })
    }

    /// Starts one with this configuration of a server, which may answer what it likes.
    pub fn serving(namespace: &Netns, home: &Path, address: SocketAddr, server: &str) -> Self {
        Self::configured(namespace, home, address, |home| {
            let temporary = temporary(home);
            let home = home.display();
            format!(
                "daemon off; master_process off; pid {home}/pid; error_log {home}/error.log warn; events {{}}
                 http {{
                   access_log off; keepalive_requests 1000000; default_type application/json;
                   {temporary} server {{ {server} }}
                 }}"
            )
        })
    }

    fn configured(
        namespace: &Netns,
        home: &Path,
        address: SocketAddr,
        config: impl FnOnce(&Path) -> String,
    ) -> Self {
        fs::create_dir_all(home).expect("a directory for nginx");
        let file = home.join("nginx.conf");
        fs::write(&file, config(home)).expect("its configuration");
        let process = Launch::new("nginx", home)
            .args(["-c".as_ref(), file.as_os_str()])
            .start(namespace);
        wait_until("nginx answers", Duration::from_secs(10), || {
            namespace.run(|| Connection::open(address).is_ok())
        });
        Self { process }
    }
}

/// Where nginx puts what does not fit into memory.
fn temporary(home: &Path) -> String {
    ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", home.display()))
        .concat()
}

/// One process, so that killing it leaves none. Two may share a port. Temporary files are in a directory of its own.
fn config(home: &Path, www: &Path, port: u16) -> String {
    let temporary = temporary(home);
    let home = home.display();
    let mut text = format!(
        "daemon off; master_process off; pid {home}/pid; error_log {home}/error.log warn;
         worker_rlimit_nofile 20000; events {{ worker_connections 16384; }}
         http {{
           access_log off; tcp_nodelay on; sendfile on; open_file_cache max=100 inactive=600s; open_file_cache_valid 600s; keepalive_requests 1000000; keepalive_timeout 600s;
           types {{ application/json json; text/html html; application/octet-stream bin; }}
           client_max_body_size 64m; client_body_buffer_size 128k; server_tokens off;\n"
    );
    text.push_str(&temporary);
    let inner = port + 1;
    write!(
        text,
        "server {{
           listen [::]:{port} ipv6only=off reuseport backlog=8192; root {www};
           location / {{ }}
           location /zip/ {{ alias {www}/; gzip on; gzip_min_length 1; gzip_types application/json text/html; }}
           # A filter that may change the length makes nginx answer in chunks.
           location /chunked/ {{ alias {www}/; sub_filter_types application/json; sub_filter 'never there' 'x'; }}
           # Reads the whole body, then answers.
           location = /read {{ proxy_pass http://127.0.0.1:{inner}; proxy_http_version 1.1; }}
           # Answers before it reads the body.
           location = /early {{ return 200 '{{\"ok\":true}}'; }}
           location = /empty {{ return 204; }}
           location /n/ {{ default_type application/json; return 200 '{NUMBERED}'; }}
           location = /moved {{ return 301 /1k.json; }}
           location = /gone {{ return 410 'gone'; }}
         }}
         server {{ listen 127.0.0.1:{inner} reuseport; location / {{ return 200 '{{\"read\":true}}'; }} }}
         }}\n",
        www = www.display()
    )
    .expect("writing to memory");
    text
}

/// Writes [`FILES`] below `directory` and returns its path.
pub fn www(directory: &Path) -> std::path::PathBuf {
    let www = directory.join("www");
    fs::create_dir_all(&www).expect("a directory for files");
    for (name, length) in FILES {
        fs::write(www.join(name), content(name, length)).expect("a file to serve");
    }
    www
}

/// Valid JSON for `.json`, lines for `.html`, bytes that do not compress for the rest.
fn content(name: &str, length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        // xorshift64: any fixed sequence is sufficient.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    if name.contains("json") {
        let mut text = String::from("{\"items\":[");
        while text.len() + 80 < length {
            let id = next() % 1_000_000;
            let comma = if text.ends_with('[') { "" } else { "," };
            write!(
                text,
                "{comma}{{\"id\":{id},\"price\":{}.5,\"ok\":true}}",
                id % 977
            )
            .expect("writing to memory");
        }
        text.push_str("]}");
        let mut bytes = text.into_bytes();
        bytes.resize(length, b' ');
        return bytes;
    }
    if name.contains("html") {
        let mut text = String::new();
        while text.len() < length {
            writeln!(text, "<p>line {}</p>", next() % 1000).expect("writing to memory");
        }
        return text.into_bytes();
    }
    (0..length).map(|_| next().to_le_bytes()[3]).collect()
}
