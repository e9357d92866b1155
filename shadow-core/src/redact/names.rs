//! Names behind which secrets are.

use hashbrown::HashSet;

/// Names that are secret wherever they stand, without `-` and `_`.
const SECRET: [&str; 40] = [
    "authorization",
    "proxyauthorization",
    "auth",
    "cookie",
    "setcookie",
    "apikey",
    "xapikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "token",
    "bearer",
    "jwt",
    "session",
    "sessionid",
    "sid",
    "jsessionid",
    "phpsessid",
    "csrf",
    "xsrf",
    "secret",
    "password",
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

    pub(super) fn is_secret_parameter(&self, name: &str) -> bool {
        // `user[password]`, and names that are percent-encoded in part.
        let name = name
            .replace("%5B", "[")
            .replace("%5b", "[")
            .replace("%5D", "]")
            .replace("%5d", "]");
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
