use super::*;
use crate::compare::{Rules, compiled::scoped, findings::stated};

type Compare = fn(&Scope<'_>, &[u8], &[u8], &mut Findings) -> Compared;

fn found(compare: Compare, a: &str, b: &str) -> Vec<String> {
    found_under(&Rules::default(), compare, a, b)
}

pub(super) fn found_under(rules: &Rules, compare: Compare, a: &str, b: &str) -> Vec<String> {
    let mut findings = Findings::new(8);
    let compared = scoped(rules, |scope| {
        compare(scope, a.as_bytes(), b.as_bytes(), &mut findings)
    });
    if compared == Compared::Not {
        return vec!["not".to_owned()];
    }
    stated(findings.finish())
}

const NONE: [&str; 0] = [];

#[test]
fn insignificant_parts_of_xml_are_no_difference() {
    for (a, b) in [
        (
            "<a b='1' c='2'/>",
            "<?xml version='1.0'?>\n<a c=\"2\"\n b=\"1\"></a>\n",
        ),
        ("<a><b>x</b><c/></a>", "<a>\n  <b> x </b>\n  <c></c>\n</a>"),
        ("<a>x<!-- no -->y</a>", "<a>xy</a>"),
        ("<a>&lt;&#65;</a>", "<a><![CDATA[<A]]></a>"),
        ("<x:a xmlns:x='u'><x:b/></x:a>", "<a xmlns='u'><b/></a>"),
        ("<a xmlns:x='u' x:k='1'/>", "<a xmlns:y='u' y:k='1'/>"),
        ("<a>x\r\ny</a>", "<a>x\ny</a>"),
        ("<a b='&quot;'/>", "<a b='\"'/>"),
        ("<!DOCTYPE a><a/>", "<!DOCTYPE  a ><a/>"),
    ] {
        assert_eq!(found(xml, a, b), NONE, "{a} {b}");
    }
}

#[test]
fn each_change_of_xml_is_found_at_its_place() {
    for (a, b, expected) in [
        ("<a b='1'/>", "<a b='2'/>", "value /a/@b: 1 | 2"),
        ("<a b='1'/>", "<a/>", "missing /a/@b: 1 | (absent)"),
        ("<a/>", "<a b='1'/>", "added /a/@b: (absent) | 1"),
        (
            "<a><b>x</b><b>y</b></a>",
            "<a><b>x</b><b>z</b></a>",
            "value /a/b[2]/text(): y | z",
        ),
        (
            "<a><b>x</b></a>",
            "<a><b/></a>",
            "missing /a/b/text(): x | (absent)",
        ),
        (
            "<a><b/><c i='1'>t</c></a>",
            "<a><b/></a>",
            "missing /a/c: <c i=\"1\">t | (absent)",
        ),
        (
            "<a><b/></a>",
            "<a><b/><b>y</b></a>",
            "added /a/b[text='y']: (absent) | <b>y",
        ),
        (
            "<a><i>1</i><i>2</i><i>3</i></a>",
            "<a><i>1</i><i>3</i></a>",
            "missing /a/i[2]: <i>2 | (absent)",
        ),
        (
            "<x:a xmlns:x='u'/>",
            "<x:a xmlns:x='v'/>",
            "missing /a: <a> | (absent)",
        ),
        (
            "<a xml:space='preserve'> x</a>",
            "<a xml:space='preserve'>x</a>",
            "value /a/text():  x | x",
        ),
        ("<a>&e;</a>", "<a>&f;</a>", "value /a/text(): &e; | &f;"),
        ("<a><?p x?></a>", "<a><?p y?></a>", "value /a/?p: x | y"),
        (
            "<a><f name='n' v='1'/><f/></a>",
            "<a><f name='n' v='2'/><f/></a>",
            "value /a/f[@name='n']/@v: 1 | 2",
        ),
        (
            "<a/>",
            "<a>",
            "decode body: XML, 4 bytes | no XML from byte 3: <a>",
        ),
    ] {
        let found = found(xml, a, b);
        assert_eq!(found.first().map(String::as_str), Some(expected), "{a} {b}");
        assert_eq!(
            found.len(),
            if expected.contains("/a: <a>") { 2 } else { 1 },
            "{found:?}"
        );
    }
}

#[test]
fn entities_are_never_expanded() {
    let bomb = |last: &str| {
        format!(
            "<!DOCTYPE a [<!ENTITY b \"{}\"><!ENTITY c \"&b;&b;\"><!ENTITY s SYSTEM \"file:///etc/passwd\">]>\
             <a k='&c;'>&c;&s;{last}</a>",
            "x".repeat(1000)
        )
    };
    assert_eq!(
        found(xml, &bomb("1"), &bomb("2")),
        ["value /a/text() word 3: &c;&s;1 | &c;&s;2"]
    );
}

#[test]
fn what_is_over_a_bound_is_left_to_text() {
    let deep = format!("{}{}", "<a>".repeat(300), "</a>".repeat(300));
    let spaces: Vec<String> = (0..100).map(|n| format!(" xmlns:n{n}='u{n}'")).collect();
    let spaces = spaces.concat();
    for text in [
        deep.as_str(),
        &format!("<a{spaces}/>"),
        &format!("<a>{}</a>", "<b/>".repeat(1 << 18)),
    ] {
        assert_eq!(found(xml, text, "<a/>"), ["not"]);
    }
    assert_eq!(found(html, &"<a>".repeat(300), "<a>"), ["not"]);
    assert_eq!(found(xml, "no", "neither"), ["not"]);
}

#[test]
fn insignificant_parts_of_html_are_no_difference() {
    for (a, b) in [
        (
            "<!DOCTYPE html><HTML><body class='a  b'><p>x<p>y<br></body>",
            "<!doctype html>\n<html>\n<body class=\"a b\">\n<p>x</p><p> y <br/></body></html>\n",
        ),
        ("<input disabled value=1>", "<input value='1' disabled=''>"),
        ("<input disabled>", "<input disabled='disabled'>"),
        ("<p>a<!-- 1 -->b", "<p>ab<!-- 2 -->"),
        ("<p>a&amp;b", "<p>a&b"),
        ("<ul><li>1<li>2</ul>", "<ul><li>1</li> <li>2</li></ul>"),
        ("<p>a\n   b</p>", "<p>a b</p>"),
        ("</nothing><p>x", "<p>x"),
    ] {
        assert_eq!(found(html, a, b), NONE, "{a} {b}");
    }
}

#[test]
fn each_change_of_html_is_found_at_its_place() {
    for (a, b, expected) in [
        (
            "<html><body><div></div><div class=a>x</div>",
            "<html><body><div></div><div class=b>x</div>",
            "value /html/body/div[text='x']/@class: a | b",
        ),
        ("<p>x</p>", "<p>y</p>", "value /p/text(): x | y"),
        (
            "<script>if (a < b) c()</script>",
            "<script>if (a < b) d()</script>",
            "value /script/text() word 4: if (a < b) c() | if (a < b) d()",
        ),
        (
            "<pre>a  b</pre>",
            "<pre>a b</pre>",
            "value /pre/text(): a  b | a b",
        ),
        (
            "<form><input name=csrf value=a><input name=x></form>",
            "<form><input name=csrf value=b><input name=x></form>",
            "value /form/input[@name='csrf']/@value: a | b",
        ),
        ("<!DOCTYPE html><p>", "<p>", "missing /!DOCTYPE: html | (absent)"),
        ("<b>x</b>y", "<b>x</b>", "missing /text(): y | (absent)"),
    ] {
        assert_eq!(found(html, a, b), [expected], "{a} {b}");
    }
    let invalid = |byte: u8| [b"<p>a", &[byte][..], b"</p>"].concat();
    let mut findings = Findings::new(8);
    scoped(&Rules::default(), |scope| {
        html(scope, &invalid(0xfe), &invalid(0xff), &mut findings)
    });
    assert_eq!(findings.finish().len(), 1, "bytes that are no UTF-8 still differ");
}

#[test]
fn one_of_many_children_is_one_discrepancy() {
    let list = |skip: Option<u32>, change: Option<u32>| {
        let items: Vec<String> = (0..5000)
            .filter(|n| Some(*n) != skip)
            .map(|n| format!("<i>{}</i>", if Some(n) == change { n + 90_000 } else { n }))
            .collect();
        format!("<a>{}</a>", items.concat())
    };
    assert_eq!(
        found(xml, &list(None, None), &list(Some(2500), None)),
        ["missing /a/i[2501]: <i>2500 | (absent)"]
    );
    assert_eq!(
        found(xml, &list(None, None), &list(None, Some(2500))),
        ["value /a/i[2501]/text(): 2500 | 92500"]
    );
    // Two changes far apart, in lists of different lengths: too long to align, and not quadratic.
    assert!(!found(xml, &list(Some(1), None), &list(None, Some(4990))).is_empty());
}
