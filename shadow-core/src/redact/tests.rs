use super::*;
use crate::compare::Category;

fn redactor() -> Redactor {
    Redactor::new(
        [7; 32],
        &RedactConfig {
            names: vec!["X-Tenant".into()],
            paths: ["$.patient.ward", "$..notes", "$.lookup.*"]
                .iter()
                .map(|path| path.parse().unwrap_or_else(|error| panic!("{error}")))
                .collect(),
        },
    )
}

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
const CARD: &str = "4111 1111 1111 1111";

#[test]
fn secrets_never_stay_in_a_text() {
    for (text, secret) in [
        (r#"{"password":"hunter2"}"#, "hunter2"),
        (r#"{"user":{"Pass_Word" : "hunter2"}}"#, "hunter2"),
        (r#"{"a":"{\"password\":\"hunter2\"}"}"#, "hunter2"),
        (r#"{"accessToken":"abc","x":1}"#, "abc\""),
        (r#"{"pin":123456}"#, "123456"),
        (r#"{"password":"hunter2 with blanks, and more"#, "more"),
        ("user=me&password=hunter2&x=1", "hunter2"),
        ("<password>hunter2</password>", "hunter2"),
        ("<password type=\"x\">hunter2</password>", "hunter2"),
        ("<input name=\"csrf_token\" value=\"hunter2\">", "hunter2"),
        (r#"{"name":"Authorization","value":"hunter2 x"}"#, "hunter2"),
        ("key sk_live_4eC39HqLyjWDarjtT1zdp7dc", "4eC3"),
        ("Authorization: Basic aHVudGVyMg==", "aHVudGVyMg"),
        ("Cookie: a=1; sid=deadbeef", "deadbeef"),
        ("said Bearer abcdef123456 today", "abcdef123456"),
        (JWT, "eyJ"),
        ("token is eyJhbGciOiJIUz", "eyJ"),
        ("write to ann.example+x@mail.example.org, please", "ann.example"),
        ("ann%40example.org", "ann"),
        (CARD, "1111"),
        ("card 4111111111111111.", "1111"),
        ("378282246310005", "3782"),
        ("4111111111111111 1", "4111"),
        ("4111 1111 1111 1111 2024 12", "4111"),
        ("4111111111111111-x", "4111"),
        ("5555-5555-5555-4444", "5555"),
        ("card4111111111111111", "1111"),
        ("token_eyJhbGciOiJIUz", "eyJ"),
        (r#"{"x_tenant":"acme"}"#, "acme"),
    ] {
        let redacted = redactor().text(text);
        assert!(!redacted.contains(secret), "{text} became {redacted}");
        assert!(redacted.contains("[redacted:"), "{text} became {redacted}");
    }
}

#[test]
fn what_is_no_secret_stays_readable() {
    for text in [
        r#"{"price":12.50,"name":"Ann","tokens_used":5}"#,
        "4111 1111 1111 1112",
        "1700000000000",
        "a@b",
        "@example.org",
        "eyJ",
        "the basic idea",
        r#"{"token":null,"password":""}"#,
        "2024-01-01T00:00:00Z",
        "(absent)",
    ] {
        assert_eq!(redactor().text(text), text);
    }
    assert_eq!(
        redactor()
            .text(r#"{"token":"abcdef","x":[1]}"#)
            .split(']')
            .next_back(),
        Some("}"),
        "what follows is kept"
    );
}

#[test]
fn equal_stays_equal_and_different_stays_different() {
    let value = |text: &str| redactor().named("password", text);
    assert_eq!(value("hunter2"), value("hunter2"));
    assert_ne!(value("hunter2"), value("hunter3"));
    let other_key = Redactor::new([8; 32], &RedactConfig::default());
    assert_ne!(other_key.named("password", "hunter2"), value("hunter2"));
}

#[test]
fn targets_keep_their_shape() {
    let redacted = redactor().target(
        "/users/123/orders?page=2&access_token=abc&q=ann@example.org&code=7741&user%5Bpassword%5D=x1",
    );
    assert!(
        redacted.starts_with("/users/123/orders?page=2&access_token=[redacted:"),
        "{redacted}"
    );
    for secret in ["abc", "ann@", "=7741", "x1"] {
        assert!(!redacted.contains(secret), "{secret} in {redacted}");
    }
    for target in [
        "/",
        "*",
        "/a//b/",
        "/v1/items?sort=name&limit=10",
        "/img/logo-2024.png",
        "/u/123e4567-e89b-12d3-a456-426614174000",
    ] {
        assert_eq!(redactor().target(target), target);
    }
    for (target, secret) in [
        ("/reset/9f86d081884c7d659a2feaa0c55ad015", "9f86"),
        ("http://ann:pa55@host.example/x", "pa55"),
        ("/x?sid", "nothing"),
        (&format!("/login?next={JWT}"), "eyJ"),
        (&format!("/{JWT}"), "eyJ"),
        ("/x?9f86d081884c7d659a2feaa0c55ad015", "9f86"),
    ] {
        assert!(
            !redactor().target(target).contains(secret),
            "{}",
            redactor().target(target)
        );
    }
}

#[test]
fn a_discrepancy_is_redacted_by_its_place() {
    let found = |place: &str, production: &str, shadow: &str| {
        redactor().discrepancy(&Discrepancy {
            category: Category::Value,
            place: place.to_owned(),
            production: production.to_owned(),
            shadow: shadow.to_owned(),
            leaves: 1,
        })
    };
    for place in [
        "$.user.password",
        "$['api-key']",
        "header set-cookie",
        "$.tokens[3].access_token",
        "$.session_token.started",
    ] {
        let redacted = found(place, "\"one\"", "\"two\"");
        assert_eq!(redacted.place, place);
        assert!(
            redacted.production.starts_with("[redacted:") && redacted.shadow.starts_with("[redacted:"),
            "{place}"
        );
        assert_ne!(redacted.production, redacted.shadow);
    }
    assert_eq!(found("$.password", "\"x\"", ABSENT).shadow, ABSENT);
    assert_eq!(found("$.price", "1", "2").production, "1");
    let keyed = found("$.users['ann@example.org'].age", "1", "2");
    assert!(
        keyed.place.starts_with("$.users['[redacted:") && keyed.place.ends_with("'].age"),
        "{}",
        keyed.place
    );
}

#[test]
fn inside_a_secret_what_was_read_as_names_is_hidden_too() {
    for place in [
        "part password $.hunter",
        "part password line \"hunter\"",
        "part password /hunter/b",
        "field password $.hunter.a",
        "$.password field hunter",
        "$.password query hunter",
        "$.password[name='hunter']",
    ] {
        let redacted = redactor().place(place);
        assert!(!redacted.contains("hunter"), "{place}: {redacted}");
    }
    for place in ["part password body", "$.password word 3", "part avatar $.size"] {
        assert_eq!(redactor().place(place), place);
    }
}

#[test]
fn a_secret_at_the_cut_leaves_nothing() {
    for before in 0..=SHOWN_CHARS {
        for secret in [
            JWT,
            CARD,
            "ann.example@example.org",
            "password=hunter2hunter2hunter2",
        ] {
            let text = format!("{} {secret}", "x".repeat(before));
            // As left by the comparison: cut somewhere after the shown part.
            let kept: String = text.chars().take(240).chain("…".chars()).collect();
            let redacted = redactor().text(&kept);
            for part in ["eyJ", "4111", "ann.", "hunter2"] {
                assert!(!redacted.contains(part), "{before}: {redacted}");
            }
        }
    }
    // When secrets shrink, text after the part that is read is not included.
    let many = format!("{JWT} {JWT} 4111 1111 11");
    assert!(
        !redactor().text(&many).contains("4111"),
        "{}",
        redactor().text(&many)
    );
}

#[test]
fn a_long_target_is_cut_and_leaves_nothing_either() {
    for before in (0..=SHOWN_CHARS + 10).chain(READ_CHARS - 60..READ_CHARS + 10) {
        for secret in [JWT, "4111111111111111", "ann.example@example.org"] {
            let redacted = redactor().target(&format!("/{}/{secret}?x=1", "x".repeat(before)));
            assert!(redacted.chars().count() <= SHOWN_CHARS + 1, "{redacted}");
            for part in ["eyJ", "4111", "ann."] {
                assert!(!redacted.contains(part), "{before}: {redacted}");
            }
        }
    }
    // A long secret at the beginning shrinks, so the end of the part that is read is shown.
    let long = format!("/{}/ann.example@example.org", "a1".repeat((READ_CHARS - 13) / 2));
    assert!(
        !redactor().target(&long).contains("ann"),
        "{}",
        redactor().target(&long)
    );
}

#[test]
fn any_text_is_survived() {
    for text in [
        "",
        "…",
        "ééééé@é.é",
        "token=",
        "token",
        "password:\u{2028}x",
        "\u{1F600}@a.b",
        "4\u{301}111",
    ] {
        let _ = redactor().text(text);
        let _ = redactor().target(text);
    }
}
