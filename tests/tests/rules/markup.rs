//! Like [`table`](super::table), for XML, HTML and text: places of markup, and masks.

use super::table::{Answer, Row, TEXT, both};

const XML: &[(&str, &str)] = &[("Content-Type", "application/xml")];
const HTML: &[(&str, &str)] = &[("Content-Type", "text/html")];

pub(crate) const MARKUP: &[Row] = &[
    both(
        "/markup/ignored",
        Answer(
            200,
            XML,
            "<order at='2026-11-22T20:00:00Z'><item id='1' n='1'/></order>",
        ),
        Answer(
            200,
            XML,
            "<order at='2026-11-22T21:00:00Z'><item id='2' n='1'/></order>",
        ),
        &[],
    ),
    both(
        "/markup/not-ignored",
        Answer(
            200,
            XML,
            "<order at='2026-11-22T20:00:00Z'><item id='1' n='1'/></order>",
        ),
        Answer(200, XML, "<order at='yesterday'><item id='2' n='2'/></order>"),
        &["value /order/@at", "value /order/item/@n"],
    ),
    both(
        "/markup/page",
        Answer(200, HTML, "<form><input name=csrf value=1>a</form>"),
        Answer(200, HTML, "<form><input name=csrf value=2>a</form>"),
        &[],
    ),
    both(
        "/markup/other-page",
        Answer(200, HTML, "<form><input name=user value=1></form>"),
        Answer(200, HTML, "<form><input name=user value=2></form>"),
        &["value /form/input[@name='user']/@value"],
    ),
    both(
        "/text/masked",
        Answer(200, TEXT, "took 3 ms\nrows 1"),
        Answer(200, TEXT, "took 41 ms\nrows 1"),
        &[],
    ),
    both(
        "/text/not-masked",
        Answer(200, TEXT, "took 3 ms\nrows 1"),
        Answer(200, TEXT, "took 4 ms\nrows 2"),
        &["value line \"rows\" word 2"],
    ),
];
