//! Answers of the two systems, and the expected result.

/// One path.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) path: &'static str,
    pub(crate) production: Answer,
    pub(crate) shadow: Answer,
    /// Category and place of each group.
    pub(crate) found: &'static [&'static str],
}

/// Status, fields, content.
#[derive(Debug)]
pub(crate) struct Answer(
    pub(crate) u16,
    pub(crate) &'static [(&'static str, &'static str)],
    pub(crate) &'static str,
);

const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];
const PROBLEM: &[(&str, &str)] = &[("Content-Type", "application/problem+json")];
pub(crate) const TEXT: &[(&str, &str)] = &[("Content-Type", "text/plain")];

/// Two JSON documents.
const fn json(path: &'static str, a: &'static str, b: &'static str, found: &'static [&'static str]) -> Row {
    both(path, Answer(200, JSON, a), Answer(200, JSON, b), found)
}

pub(crate) const fn both(
    path: &'static str,
    production: Answer,
    shadow: Answer,
    found: &'static [&'static str],
) -> Row {
    Row {
        path,
        production,
        shadow,
        found,
    }
}

/// In pairs: differences that a rule is for, and those that it must not hide.
pub(crate) const ROWS: &[Row] = &[
    json(
        "/ignore/ignored",
        r#"{"meta":{"request_id":1},"a":{"trace":[1],"b":1}}"#,
        r#"{"meta":{"request_id":2},"a":{"trace":[],"b":1}}"#,
        &[],
    ),
    json(
        "/ignore/not-ignored",
        r#"{"meta":{"id":1}}"#,
        r#"{"meta":{"id":2}}"#,
        &["value $.meta.id"],
    ),
    json(
        "/ignore/ignored-last",
        r#"{"last":[1,2]}"#,
        r#"{"last":[1,3]}"#,
        &[],
    ),
    json(
        "/ignore/not-ignored-first",
        r#"{"last":[1,2]}"#,
        r#"{"last":[4,2]}"#,
        &["value $.last[0]"],
    ),
    json(
        "/format/uuid",
        r#"{"id":"123e4567-e89b-12d3-a456-426614174000"}"#,
        r#"{"id":"9f3e4567-e89b-42d3-a456-42661417400a"}"#,
        &[],
    ),
    json(
        "/format/no-uuid",
        r#"{"id":"123e4567-e89b-12d3-a456-426614174000"}"#,
        r#"{"id":"none"}"#,
        &["value $.id"],
    ),
    json(
        "/format/timestamp",
        r#"{"at":"2026-11-22T20:00:00Z"}"#,
        r#"{"at":"2026-11-22T20:07:09.5+01:00"}"#,
        &[],
    ),
    json(
        "/format/no-timestamp",
        r#"{"at":"2026-11-22T20:00:00Z"}"#,
        r#"{"at":"yesterday"}"#,
        &["value $.at"],
    ),
    json(
        "/format/epoch",
        r#"{"epoch":1790000000}"#,
        r#"{"epoch":1790001234}"#,
        &[],
    ),
    json(
        "/format/no-epoch",
        r#"{"epoch":1790000000}"#,
        r#"{"epoch":0}"#,
        &["value $.epoch"],
    ),
    json(
        "/format/millis",
        r#"{"millis":1790000000000}"#,
        r#"{"millis":1790000001234}"#,
        &[],
    ),
    json(
        "/format/no-millis",
        r#"{"millis":1790000000000}"#,
        r#"{"millis":1790000000}"#,
        &["value $.millis"],
    ),
    json("/format/integer", r#"{"sequence":7}"#, r#"{"sequence":8}"#, &[]),
    json(
        "/format/no-integer",
        r#"{"sequence":7}"#,
        r#"{"sequence":7.5}"#,
        &["value $.sequence"],
    ),
    json("/format/hex", r#"{"nonce":"00ff"}"#, r#"{"nonce":"ab12"}"#, &[]),
    json(
        "/format/no-hex",
        r#"{"nonce":"00ff"}"#,
        r#"{"nonce":"ab"}"#,
        &["value $.nonce"],
    ),
    json(
        "/format/regex",
        r#"{"order":"ord-1"}"#,
        r#"{"order":"ord-23"}"#,
        &[],
    ),
    json(
        "/format/no-regex",
        r#"{"order":"ord-1"}"#,
        r#"{"order":"ord-x"}"#,
        &["value $.order"],
    ),
    json(
        "/limits/absolute",
        r#"{"total":10.001}"#,
        r#"{"total":10.005}"#,
        &[],
    ),
    json(
        "/limits/too-far",
        r#"{"total":10.00}"#,
        r#"{"total":10.02}"#,
        &["value $.total"],
    ),
    json("/limits/relative", r#"{"score":1000}"#, r#"{"score":1005}"#, &[]),
    json(
        "/limits/relatively-far",
        r#"{"score":1000}"#,
        r#"{"score":1020}"#,
        &["value $.score"],
    ),
    json(
        "/limits/span",
        r#"{"updated_at":"2026-11-22T20:00:00Z"}"#,
        r#"{"updated_at":"2026-11-22T20:00:04Z"}"#,
        &[],
    ),
    json(
        "/limits/too-late",
        r#"{"updated_at":"2026-11-22T20:00:00Z"}"#,
        r#"{"updated_at":"2026-11-22T20:00:06Z"}"#,
        &["value $.updated_at"],
    ),
    json(
        "/limits/string-number",
        r#"{"price":1.5}"#,
        r#"{"price":"1.50"}"#,
        &[],
    ),
    json(
        "/limits/string-other-number",
        r#"{"price":1.5}"#,
        r#"{"price":"1.51"}"#,
        &["type $.price"],
    ),
    json(
        "/arrays/set",
        r#"{"tags":["a","b"]}"#,
        r#"{"tags":["b","a","b"]}"#,
        &[],
    ),
    json(
        "/arrays/other-set",
        r#"{"tags":["a","b"]}"#,
        r#"{"tags":["b","a","c"]}"#,
        &["added $.tags[2]"],
    ),
    json(
        "/arrays/multiset",
        r#"{"bag":[1,2,2]}"#,
        r#"{"bag":[2,1,2]}"#,
        &[],
    ),
    json(
        "/arrays/other-multiset",
        r#"{"bag":[1,2,2]}"#,
        r#"{"bag":[2,1]}"#,
        &["missing $.bag[2]"],
    ),
    json(
        "/arrays/keyed",
        r#"{"items":[{"id":1,"n":1},{"id":2,"n":2}]}"#,
        r#"{"items":[{"id":2,"n":2},{"id":1,"n":1}]}"#,
        &[],
    ),
    json(
        "/arrays/keyed-value",
        r#"{"items":[{"id":1,"n":1},{"id":2,"n":2}]}"#,
        r#"{"items":[{"id":2,"n":9},{"id":1,"n":1}]}"#,
        &["value $.items[id=2].n"],
    ),
    json(
        "/arrays/order-counts",
        r#"{"list":[1,2]}"#,
        r#"{"list":[2,1]}"#,
        &["order $.list"],
    ),
    both(
        "/status/listed-status",
        Answer(200, &[], ""),
        Answer(204, &[], ""),
        &[],
    ),
    both(
        "/status/other-status",
        Answer(200, &[], ""),
        Answer(201, &[], ""),
        &["status status"],
    ),
    both("/class/status", Answer(200, &[], ""), Answer(206, &[], ""), &[]),
    both(
        "/class/other",
        Answer(200, &[], ""),
        Answer(302, &[], ""),
        &["status status"],
    ),
    both(
        "/errors/problem",
        Answer(409, PROBLEM, r#"{"type":"/taken","detail":"ann is taken"}"#),
        Answer(
            409,
            PROBLEM,
            r#"{"type":"/taken","detail":"The name ann is in use","hint":"bob"}"#,
        ),
        &[],
    ),
    both(
        "/errors/other-problem",
        Answer(409, PROBLEM, r#"{"type":"/taken","detail":"no"}"#),
        Answer(409, PROBLEM, r#"{"type":"/locked","detail":"no"}"#),
        &["error_type $.type"],
    ),
    both(
        "/errors/code",
        Answer(503, JSON, r#"{"error":{"code":"db","text":"x"}}"#),
        Answer(503, JSON, r#"{"error":{"code":"db","text":"y"}}"#),
        &[],
    ),
    both(
        "/errors/other-code",
        Answer(503, JSON, r#"{"error":{"code":"db","text":"x"}}"#),
        Answer(503, JSON, r#"{"error":{"code":"disk","text":"x"}}"#),
        &["error_type $.error.code"],
    ),
    both(
        "/errors/text-error",
        Answer(410, TEXT, "no such item"),
        Answer(410, TEXT, "not here"),
        &["value line 1"],
    ),
    both(
        "/errors/whole-errors",
        Answer(409, PROBLEM, r#"{"type":"/taken","detail":"a"}"#),
        Answer(409, PROBLEM, r#"{"type":"/taken","detail":"b"}"#),
        &["value $.detail"],
    ),
    both(
        "/errors/status-errors",
        Answer(404, TEXT, "no such item"),
        Answer(404, TEXT, "not here"),
        &[],
    ),
    both(
        "/headers/same-media-type",
        Answer(200, &[("Content-Type", "Text/HTML; Charset=\"UTF-8\"")], ""),
        Answer(
            200,
            &[("content-type", "text/html;charset=utf-8"), ("Server", "new")],
            "",
        ),
        &[],
    ),
    both(
        "/headers/other-media-type",
        Answer(200, &[("Content-Type", "text/html")], ""),
        Answer(200, TEXT, ""),
        &["header header content-type"],
    ),
    both(
        "/headers/tier",
        Answer(200, &[("X-Tier", "gold")], ""),
        Answer(200, &[("X-Tier", "tin")], ""),
        &["header header x-tier"],
    ),
    both(
        "/headers/etag",
        Answer(200, &[("ETag", "\"1\"")], ""),
        Answer(200, &[("ETag", "\"2\"")], ""),
        &[],
    ),
    both(
        "/headers/no-etag",
        Answer(200, &[("ETag", "\"1\"")], ""),
        Answer(200, &[], ""),
        &["header header etag"],
    ),
    json("/nulls/missing", r#"{"a":null,"b":1}"#, r#"{"b":1}"#, &[]),
    json(
        "/nulls/value",
        r#"{"a":null,"b":1}"#,
        r#"{"a":0,"b":1}"#,
        &["added $.a"],
    ),
    json("/members/null-counts", r#"{"a":null}"#, "{}", &["missing $.a"]),
    json("/added/more", r#"{"a":1}"#, r#"{"a":1,"new":1}"#, &[]),
    json(
        "/added/less",
        r#"{"a":1,"b":1}"#,
        r#"{"a":1,"new":1}"#,
        &["missing $.b"],
    ),
    json(
        "/members/added-counts",
        r#"{"a":1}"#,
        r#"{"a":1,"new":1}"#,
        &["added $.new"],
    ),
    json("/added/twice", r#"{"a":1}"#, r#"{"a":1,"a":2}"#, &["added $.a"]),
    json(
        "/limits/big-integer",
        r#"{"n":9007199254740993}"#,
        r#"{"n":9007199254740992}"#,
        &["value $.n"],
    ),
    json("/limits/same-number", r#"{"n":100}"#, r#"{"n":1.0e2}"#, &[]),
    json(
        "/limits/not-a-number",
        r#"{"n":1}"#,
        r#"{"n":NaN}"#,
        &["decode body", "value $.n"],
    ),
    json("/ignore/broad", r#"{"broad":[1,2]}"#, r#"{"broad":[3,4]}"#, &[]),
];
