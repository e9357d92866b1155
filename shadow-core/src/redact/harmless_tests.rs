//! Values that resemble a secret but must be kept: they show the difference.

use super::*;
use shadow_proto::exchange::Body;

fn redactor() -> Redactor {
    Redactor::new([3; 32], &RedactConfig::default())
}

#[test]
fn harmless_bodies_stay_as_they_were_sent() {
    for (kind, content) in [
        (
            "application/json",
            r#"{"query_ms":32.4111111111111111,"n":0.5555555555554444,"state":"active","code":200,"token_count":3}"#,
        ),
        (
            "application/json",
            r#"{"author":"Ann","keyboard":"qwerty","sessions_total":12,"passed":true,"secretary":"Bob"}"#,
        ),
        (
            "application/json",
            r#"{"tokens":128,"password_required":true,"auth_method":"basic form","session":{"theme":"dark"}}"#,
        ),
        (
            "application/json",
            r#"{"password_updated_at":"2024-05-01T10:00:00Z","token_type":"bearer","expires_in":3600,"key":"colour"}"#,
        ),
        (
            "application/json",
            r#"{"name":"colour","value":"blue","state":"CA","zip_code":"94105"}"#,
        ),
        (
            "application/json",
            r#"{"id":"123e4567-e89b-12d3-a456-426614174000","compass":"north"}"#,
        ),
        (
            "application/x-www-form-urlencoded",
            "state=active&code=200&key=name&zip_code=94105&ticket=all",
        ),
        (
            "application/xml",
            "<a state=\"active\"><code>200</code><author>Ann</author><key>size</key></a>",
        ),
        (
            "text/html",
            "<table><tr><th>State</th><td>active</td></tr><tr><td>Author</td><td>Ann</td></tr></table>",
        ),
        (
            "text/html",
            "<a href=\"https://example.org/a/b?page=2\">x</a><input name=state value=open>",
        ),
        ("text/csv", "author,state,code,token_count\nAnn,active,200,3\n"),
        (
            "text/plain",
            "took 32.4111111111111111 ms; state=active code=200 token_count=3 sessions_total=9 passed: 12",
        ),
        (
            "text/plain",
            "see https://example.org:8080/a@b and -----BEGIN CERTIFICATE----- MIIB",
        ),
        (
            "text/plain",
            "the password is long, the token was used, hf_ and npm_install_everything",
        ),
    ] {
        let headers = Headers::from_pairs([("Content-Type", kind)]);
        let body = Body::whole(content.as_bytes().to_vec());
        let shown = redactor().body(&headers, &body, 1 << 16).text;
        assert_eq!(shown.as_deref(), Some(content), "{kind}");
    }
}

#[test]
fn harmless_targets_and_fields_stay_as_they_were_sent() {
    let redactor = redactor();
    for target in [
        "/authors/12?state=active&code=200&sort=name",
        "/reset/password",
        "/verify/email?lang=en",
        "/token/refresh",
        "/a?token_count=3&author=ann&keyboard=us",
        "/states/CA/codes/200",
        "/v1/time:12:30/x",
        "/login/oauth2/callback",
        "/2024-05-01/report",
    ] {
        assert_eq!(redactor.target(target), target);
    }
    for (name, value) in [
        ("X-Request-State", "active"),
        ("X-Token-Count", "3"),
        ("X-Author", "Ann"),
        ("X-RateLimit-Limit", "100"),
        ("X-Session-Timeout", "3600"),
        ("Server-Timing", "db;dur=32.4111111111111111"),
        ("Content-Type", "text/html; charset=utf-8"),
        ("Keep-Alive", "timeout=5, max=1000"),
    ] {
        let (_, shown) = redactor.header(name.as_bytes(), value.as_bytes());
        assert_eq!(shown, value, "{name}");
    }
}
