//! TLS to a shadow system: whom it trusts, who the agent is, and in words why a handshake failed.
//!
//! Owns: the client's configuration, made once, before the agent gives up its files. Bounds: [`MOST_SAID`] different
//! faults are logged. Bias: a certificate is always checked; there is no setting that skips it.

use std::{
    collections::BTreeSet,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{self, PemObject as _},
    },
    version::{TLS12, TLS13},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
/// The name of HTTP/2 in ALPN.
const H2: &[u8] = b"h2";
const MOST_SAID: usize = 16;
/// Names of a certificate that are shown.
const NAMES: usize = 8;

/// The section `tls` of a target.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// Certificates of the authorities that are trusted, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The agent's certificate, with those that lead to its authority.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
    /// The name that is asked for and that the certificate must be for, in place of the host of the URL.
    pub server_name: Option<String>,
}

/// The reason why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or holds something else.
    #[error("tls.{key}: {path}: {what}", path = path.display())]
    File {
        /// The key of the section.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The fault.
        what: String,
    },
    /// One of a pair is missing.
    #[error("tls.{given} is given without tls.{missing}; a client certificate needs both")]
    Half {
        /// The given key.
        given: &'static str,
        /// The missing one.
        missing: &'static str,
    },
    /// Certificate and key that do not fit.
    #[error("tls.certificate and tls.key cannot be used: {0}")]
    Pair(String),
    /// A name that no certificate can have.
    #[error("tls.server_name: {0:?} is neither a name nor an address")]
    Name(String),
    /// No authority is known.
    #[error(
        "this host has no certificates of authorities (Debian: apt-get install ca-certificates); name a file with \
         the shadow system's as tls.ca_file{0}"
    )]
    NoRoots(String),
}

/// A client for one shadow system. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tls {
    /// With ALPN for HTTP/1.1, and for HTTP/2.
    connectors: [TlsConnector; 2],
    name: ServerName<'static>,
    said: Arc<Mutex<BTreeSet<String>>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.name)
    }
}

impl Tls {
    /// Reads every file. `host` is that of the URL.
    pub(super) fn new(settings: &TlsSettings, host: &str) -> Result<Self, TlsError> {
        let TlsSettings {
            ca_file,
            certificate,
            key,
            server_name,
        } = settings;
        let name = server_name.as_deref().unwrap_or(host);
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&VERSIONS)
            .map_err(|error| TlsError::Pair(error.to_string()))?
            .with_root_certificates(roots(ca_file.as_deref())?);
        let mut config = match (certificate, key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = certificates("certificate", certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| file("key", key, &error))?;
                builder
                    .with_client_auth_cert(chain, secret)
                    .map_err(|error| TlsError::Pair(error.to_string()))?
            }
            (Some(_), None) => return Err(half("certificate", "key")),
            (None, Some(_)) => return Err(half("key", "certificate")),
        };
        let connectors = [&b"http/1.1"[..], H2].map(|name| {
            config.alpn_protocols = vec![name.to_vec()];
            TlsConnector::from(Arc::new(config.clone()))
        });
        Ok(Self {
            connectors,
            name: ServerName::try_from(name.to_owned()).map_err(|_error| TlsError::Name(name.to_owned()))?,
            said: Arc::default(),
        })
    }

    /// Greets the server, checks its certificate, and agrees on a version of HTTP.
    pub(super) async fn greet(&self, stream: TcpStream, is_h2: bool) -> io::Result<TlsStream<TcpStream>> {
        let [http1, http2] = &self.connectors;
        if !is_h2 {
            return http1.connect(self.name.clone(), stream).await;
        }
        let stream = http2.connect(self.name.clone(), stream).await?;
        // RFC 9113 section 3.2: a server that ignores ALPN does not speak HTTP/2.
        if stream.get_ref().1.alpn_protocol() == Some(H2) {
            Ok(stream)
        } else {
            Err(io::Error::other(Error::AlertReceived(
                AlertDescription::NoApplicationProtocol,
            )))
        }
    }

    /// Logs why a handshake failed, once for each reason. Returns whether it was for TLS.
    pub(super) fn explain(&self, error: &io::Error) -> bool {
        let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
            return false;
        };
        let name = self.name.to_str();
        let text = explained(error, &name);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < MOST_SAID && said.insert(text.clone()) {
            tracing::warn!("TLS to the shadow system {name} failed: {text}");
        }
        true
    }
}

fn half(given: &'static str, missing: &'static str) -> TlsError {
    TlsError::Half { given, missing }
}

fn file(key: &'static str, path: &Path, error: &pem::Error) -> TlsError {
    let what = match error {
        pem::Error::NoItemsFound if key == "key" => "holds no private key in PEM".to_owned(),
        pem::Error::NoItemsFound => "holds no certificate in PEM".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        other => format!("is no PEM: {other}"),
    };
    TlsError::File {
        key,
        path: path.to_owned(),
        what,
    }
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |error: pem::Error| file(key, path, &error);
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect();
    let found = found.map_err(wrong)?;
    if found.is_empty() {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(found)
}

/// The trusted authorities: those of the file, or the system's.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        for certificate in certificates("ca_file", path)? {
            roots.add(certificate).map_err(|error| TlsError::File {
                key: "ca_file",
                path: path.to_owned(),
                what: format!("holds what is no certificate of an authority: {error}"),
            })?;
        }
        return Ok(roots);
    }
    let found = rustls_native_certs::load_native_certs();
    // Single odd certificates of a system are no reason to trust none.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found
            .errors
            .first()
            .map_or_else(String::new, |error| format!(" ({error})"));
        return Err(TlsError::NoRoots(why));
    }
    Ok(roots)
}

/// The fault, and what to do about it.
fn explained(error: &Error, name: &str) -> String {
    match error {
        Error::InvalidCertificate(fault) => certificate(fault, name),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::InvalidMessage(_) => {
            "it does not answer with TLS; is this the port for https? For plain HTTP write http:// in the URL"
                .to_owned()
        }
        Error::PeerIncompatible(why) => {
            format!("it offers neither TLS 1.3 nor 1.2 as this agent speaks them ({why:?})")
        }
        other => other.to_string(),
    }
}

fn certificate(fault: &CertificateError, name: &str) -> String {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!(
                "the certificate for {name}, or one that it depends on, has expired; renew it, or check this host's clock"
            )
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate for {name} is not valid yet; check this host's clock, or wait")
        }
        CertificateError::UnknownIssuer => format!(
            "the certificate for {name} is by an authority that is not trusted here; if it is yours, name its certificate as \
             tls.ca_file"
        ),
        CertificateError::NotValidForName => format!(
            "the certificate is for another name than {name}; use a name that it has in the URL, or name one as \
             tls.server_name"
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            // Each is written like `DnsName("a.example")`.
            let bare = |name: &String| name.split('"').nth(1).unwrap_or(name).to_owned();
            let names: Vec<String> = presented.iter().take(NAMES).map(bare).collect();
            let names = if names.is_empty() {
                "no name".to_owned()
            } else {
                names.join(", ")
            };
            format!(
                "the certificate is not for {name} but for {names}; use that name in the URL, or name it as \
                 tls.server_name"
            )
        }
        CertificateError::Revoked => format!("the certificate for {name} was revoked; replace it"),
        CertificateError::BadEncoding => format!("the certificate for {name} cannot be read; replace it"),
        other => format!(
            "the certificate for {name} cannot be accepted: {other}; if it signs itself, make an authority that signs it, \
             and name that as tls.ca_file"
        ),
    }
}

fn alerted(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "it asks for a client certificate; name one as tls.certificate and its key as tls.key".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked => {
            format!("it refuses the agent's certificate ({alert:?}); check tls.certificate and which authority it trusts")
        }
        AlertDescription::HandshakeFailure => {
            "it ended the handshake; it may ask for a client certificate (tls.certificate and tls.key), or offer no cipher \
             suite that the agent knows"
                .to_owned()
        }
        AlertDescription::NoApplicationProtocol => {
            "it does not speak the version of HTTP that replays ask for (ALPN); enable it there, or choose another one as \
             shadow.protocol"
                .to_owned()
        }
        AlertDescription::ProtocolVersion => "it offers neither TLS 1.3 nor TLS 1.2; enable one of them there".to_owned(),
        AlertDescription::UnrecognisedName => {
            "it does not know that name; name one that it serves as tls.server_name".to_owned()
        }
        other => format!("it ended the handshake with the alert {other:?}"),
    }
}
