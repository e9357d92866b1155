//! Names behind which secrets are.

use hashbrown::HashSet;

/// Names that are secret wherever they stand, without `-` and `_`.
const SECRET: [&str; 46] = [
    "authorization",
    "proxyauthorization",
    "auth",
    "cookie",
    "cookies",
    "setcookie",
    "apikey",
    "apikeys",
    "xapikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "token",
    "tokens",
    "bearer",
    "jwt",
    "session",
    "sessions",
    "sessionid",
    "sid",
    "jsessionid",
    "phpsessid",
    "csrf",
    "xsrf",
    "secret",
    "secrets",
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "pin",
    "otp",
    "cvv",
    "cvc",
    "ssn",
    "iban",
    "cardnumber",
    "creditcard",
    "credential",
    "credentials",
    "signature",
    "sig",
    "nonce",
    "xamzsecuritytoken",
];

/// Endings that make a longer name secret.
const SECRET_ENDINGS: [&str; 8] = [
    "token",
    "password",
    "passwd",
    "secret",
    "apikey",
    "privatekey",
    "sessionid",
    "cookie",
];

/// Endings that make the name of a header field secret: `X-Functions-Key`, `X-Hub-Signature-256`. Elsewhere they mean
/// harmless things (`primary_key`).
const SECRET_FIELD_ENDINGS: [&str; 4] = ["key", "auth", "signature", "signature256"];

/// Names that are secret as a query parameter: elsewhere they mean harmless things (`"code": 404`).
const SECRET_PARAMETERS: [&str; 4] = ["code", "key", "state", "ticket"];

/// All of them, with the configured ones.
#[derive(Clone, Debug)]
pub(super) struct Names {
    exact: HashSet<Box<str>>,
}

impl Names {
    pub(super) fn new(further: &[String]) -> Self {
        Self {
            exact: SECRET
                .iter()
                .map(|name| (*name).into())
                .chain(further.iter().map(|name| normal(name).into()))
                .collect(),
        }
    }

    pub(super) fn is_secret(&self, name: &str) -> bool {
        // Nothing longer is in the list, and a long word is not copied for it.
        if name.is_empty() || name.len() > 64 {
            return false;
        }
        let name = normal(name);
        self.exact.contains(name.as_str()) || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
    }

    pub(super) fn is_secret_field(&self, name: &str) -> bool {
        let plain = || normal(name);
        self.is_secret(name)
            || (name.len() <= 64
                && SECRET_FIELD_ENDINGS
                    .iter()
                    .any(|ending| plain().ends_with(ending)))
    }

    /// Of a query or a form, decoded: also `user[password]`.
    pub(super) fn is_secret_parameter(&self, name: &str) -> bool {
        name.split(['[', ']', '.'])
            .any(|part| self.is_secret(part) || SECRET_PARAMETERS.contains(&normal(part).as_str()))
    }
}

fn normal(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
