//! Requests to the API server of Kubernetes: one answer as JSON, a watch line by line, or an object that is written.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// Where a pod finds its token and the authority of the API server.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How long connecting and a whole answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a watch may be silent. The server ends it before that.
const SILENCE: Duration = Duration::from_mins(5);

/// How long a connection may be idle until the server is asked whether it is there.
const ALIVE: Duration = Duration::from_secs(5);

/// The longest answer, and the longest line of a watch: an object has at most 1.5 MiB in etcd.
const LONGEST_ANSWER: usize = 64 << 20;
const LONGEST_LINE: usize = 4 << 20;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// Nothing is known of the server.
    #[error("where the API server is: {0}")]
    Settings(String),
    /// The connection failed.
    #[error("the API server cannot be reached: {0}")]
    Connect(String),
    /// It refused.
    #[error("the API server answered {status} to {path}: {text}")]
    Status {
        /// The status.
        status: u16,
        /// The target of the request.
        path: String,
        /// The beginning of its explanation.
        text: String,
    },
    /// It said something else than expected.
    #[error("the API server's answer cannot be read: {0}")]
    Content(String),
}

/// The API server.
pub(super) struct Api {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    token: Option<PathBuf>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({}:{})", self.host, self.port)
    }
}

impl Api {
    /// The server at this address, or that of the pod's cluster.
    pub(super) fn new(url: Option<&Uri>) -> Result<Self, ApiError> {
        let variable = |name: &str| {
            std::env::var(name).map_err(|_unset| {
                ApiError::Settings(format!(
                    "{name} is not set, so this is no pod: name the server with --api"
                ))
            })
        };
        let (host, port, is_tls) = if let Some(url) = url {
            let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let is_tls = url.scheme_str() == Some("https");
            let usual = if is_tls { 443 } else { 80 };
            (host, url.port_u16().unwrap_or(usual), is_tls)
        } else {
            let port = variable("KUBERNETES_SERVICE_PORT")?;
            let wrong = |_text| ApiError::Settings(format!("{port:?} is no port"));
            let port = port.parse().map_err(wrong)?;
            (variable("KUBERNETES_SERVICE_HOST")?, port, true)
        };
        let tls = is_tls.then(|| tls(&host)).transpose()?;
        let token = Some(Path::new(ACCOUNT).join("token")).filter(|token| token.exists());
        Ok(Self {
            host,
            port,
            tls,
            token,
        })
    }

    /// Asks for an object.
    pub(super) async fn object<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let asked = async {
            let response = self.get(path).await?;
            let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
            let body = body
                .map_err(|error| ApiError::Content(error.to_string()))?
                .to_bytes();
            serde_json::from_slice(&body).map_err(|error| ApiError::Content(error.to_string()))
        };
        in_time(asked).await
    }

    /// Asks for a watch.
    pub(super) async fn watch(&self, path: &str) -> Result<Lines, ApiError> {
        Ok(Lines {
            body: in_time(self.get(path)).await?.into_body(),
            held: BytesMut::new(),
        })
    }

    /// Applies fields of an object (server-side apply), which then belong to the manager that the path names.
    pub(super) async fn apply(&self, path: &str, fields: &Value) -> Result<(), ApiError> {
        let sent = Sent(
            Method::PATCH,
            "application/apply-patch+yaml",
            fields.to_string().into(),
        );
        in_time(self.send(path, sent)).await.map(drop)
    }

    /// Makes an object.
    pub(super) async fn create(&self, path: &str, object: &Value) -> Result<(), ApiError> {
        let sent = Sent(Method::POST, "application/json", object.to_string().into());
        in_time(self.send(path, sent)).await.map(drop)
    }

    async fn get(&self, path: &str) -> Result<Response<Incoming>, ApiError> {
        self.send(path, Sent(Method::GET, "", Bytes::new())).await
    }

    async fn send(&self, path: &str, sent: Sent) -> Result<Response<Incoming>, ApiError> {
        let Sent(method, media_type, body) = sent;
        let failed = |error: io::Error| ApiError::Connect(error.to_string());
        let stream = TcpStream::connect((&*self.host, self.port))
            .await
            .map_err(failed)?;
        // A server that is gone without a word is noticed, also by a watch.
        let alive = TcpKeepalive::new().with_time(ALIVE).with_interval(ALIVE);
        SockRef::from(&stream)
            .set_tcp_keepalive(&alive.with_retries(3))
            .map_err(failed)?;
        let mut sender = match &self.tls {
            None => handshake(TokioIo::new(stream)).await?,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(failed)?;
                handshake(TokioIo::new(stream)).await?
            }
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("shadow/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            // The kubelet replaces it.
            let token = std::fs::read_to_string(token).map_err(failed)?;
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        if !media_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| ApiError::Settings(error.to_string()))?;
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| ApiError::Connect(error.to_string()))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = Limited::new(response.into_body(), LONGEST_LINE).collect().await;
        let body = body.map_or_else(|_error| Bytes::new(), http_body_util::Collected::to_bytes);
        let text: String = String::from_utf8_lossy(&body).chars().take(300).collect();
        Err(ApiError::Status {
            status: status.as_u16(),
            path: path.to_owned(),
            text,
        })
    }
}

/// The result, unless it takes longer than [`PATIENCE`].
async fn in_time<T>(asked: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    let late = |_late| ApiError::Connect(format!("no answer within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, asked).await.map_err(late)?
}

/// Method, media type and content of a request.
struct Sent(Method, &'static str, Bytes);

type Sender = http1::SendRequest<Full<Bytes>>;

async fn handshake<S>(stream: TokioIo<S>) -> Result<Sender, ApiError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let made = http1::handshake(stream).await;
    let (sender, connection) = made.map_err(|error| ApiError::Connect(error.to_string()))?;
    // Its error is that of the request, too.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

fn tls(host: &str) -> Result<(TlsConnector, ServerName<'static>), ApiError> {
    let file = Path::new(ACCOUNT).join("ca.crt");
    let wrong = |what: String| ApiError::Settings(format!("{}: {what}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&file).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| ApiError::Settings(error.to_string()))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// The lines of a watch.
#[derive(Debug)]
pub(super) struct Lines {
    body: Incoming,
    held: BytesMut,
}

impl Lines {
    /// The next one; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let mut looked = 0;
        loop {
            if let Some(end) = memchr::memchr(b'\n', self.held.get(looked..).unwrap_or_default()) {
                return Ok(Some(self.held.split_to(looked + end + 1).freeze()));
            }
            looked = self.held.len();
            if looked > LONGEST_LINE {
                return Err(ApiError::Content("a line of a watch is too long".to_owned()));
            }
            match timeout(SILENCE, self.body.frame()).await {
                Err(_silent) => return Err(ApiError::Connect("the watch is silent".to_owned())),
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => {
                    let frame = frame.map_err(|error| ApiError::Connect(error.to_string()))?;
                    self.held
                        .extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                }
            }
        }
    }
}
