//! The rules for each node of a document.
//!
//! One walk over each document before the two are compared: ignored nodes are marked, so that they are neither hashed
//! nor visited again, and nodes with another rule get its number. Without rules for markup no tree is walked.

use std::collections::HashMap;

use super::{
    identity,
    names::{cut, shown_name},
    tree::{Kind, Tree},
};
use crate::compare::{
    leaf::{self, Leaf},
    paths::{Key, Node},
    scope::{self, Level, Parts, Scope, Walk},
    usage::RuleId,
};

/// The levels of the nodes, by their numbers. 0 is the default level.
#[derive(Debug)]
pub(super) struct Levels<'s>(Vec<Level<'s>>);

impl<'s> Levels<'s> {
    /// The parts of a text that are left out.
    pub(super) fn parts(&self, level: u32) -> Parts<'s> {
        self.0
            .get(level as usize)
            .map(|level| level.parts)
            .unwrap_or_default()
    }

    /// Whether no rule applies to a text as a whole.
    pub(super) fn is_plain(&self, level: u32) -> bool {
        let level = self.0.get(level as usize);
        level.is_some_and(|level| level.format.is_none() && !level.limited)
    }

    /// Whether a rule asks for a format.
    pub(super) fn has_format(&self, level: u32) -> bool {
        self.0
            .get(level as usize)
            .is_some_and(|level| level.format.is_some())
    }

    /// Whether two texts are equal under a level.
    pub(super) fn equal(&self, level: u32, a: &[u8], b: &[u8]) -> bool {
        if a == b {
            return true;
        }
        let level = self.0.get(level as usize);
        match (level, core::str::from_utf8(a), core::str::from_utf8(b)) {
            (Some(level), Ok(a), Ok(b)) => leaf::equal(level, Leaf::Untyped(a), Leaf::Untyped(b)),
            _ => false,
        }
    }
}

/// The result of a walk over a whole document.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether something is left to compare.
    pub(super) left: bool,
    /// The rules that left something out.
    pub(super) hiding: Vec<RuleId>,
}

/// An element whose content is being walked.
struct Open<'s> {
    /// The number of the node after it.
    end: u32,
    level: Level<'s>,
    number: u32,
    /// The number of nodes of each name so far.
    counts: HashMap<String, usize>,
}

/// Applies the rules to a document.
pub(super) fn mark<'s>(scope: &'s Scope<'s>, tree: &mut Tree<'_>) -> (Levels<'s>, Seen) {
    let (mut walk, root) = scope.walk(scope::Kind::Markup);
    let mut levels = vec![root];
    let mut seen = Seen::default();
    if !scope.names(scope::Kind::Markup) {
        seen.left = true;
        return (Levels(levels), seen);
    }
    let mut open: Vec<Open<'s>> = Vec::new();
    let texts = identity::texts(tree);
    // Everything up to here is inside an ignored node.
    let mut ignored = 0;
    for (at, (end, node)) in (0u32..).zip(tree.nodes_mut()) {
        if at == 0 {
            open.push(new(end, root, 0));
            continue;
        }
        if at < ignored {
            continue;
        }
        while let Some(left) = open.pop_if(|open| open.end <= at) {
            walk.leave(left.level);
        }
        let Some(around) = open.last_mut() else { break };
        let (level, number) = if around.level.is_closed() {
            (walk.below(around.level), around.number)
        } else {
            let name = shown_name(&node.kind).into_owned();
            let position = around.counts.entry(name.clone()).or_default();
            *position = position.saturating_add(1);
            let mut known = identity::attributes(node);
            known.extend(
                texts
                    .get(at as usize)
                    .and_then(Option::as_deref)
                    .map(|text| ("text", text)),
            );
            let key = Key::Child(Node {
                name: &name,
                position: *position,
                known: &known,
            });
            let level = walk.enter(around.level, key);
            levels.push(level);
            (level, last(&levels))
        };
        node.level = number;
        if let Some(rule) = level.ignored {
            node.ignored = true;
            ignored = end;
            seen.hides(rule);
            walk.leave(level);
            continue;
        }
        attributes(node, level, number, (&mut walk, &mut levels, &mut seen));
        seen.left |= !matches!(node.kind, Kind::Element(_));
        open.push(new(end, level, number));
    }
    (Levels(levels), seen)
}

fn new(end: u32, level: Level<'_>, number: u32) -> Open<'_> {
    Open {
        end,
        level,
        number,
        counts: HashMap::new(),
    }
}

fn last(levels: &[Level<'_>]) -> u32 {
    // Nodes and attributes are fewer than `MAX_NODES`.
    u32::try_from(levels.len().saturating_sub(1)).unwrap_or_default()
}

/// Removes the ignored attributes of an element, and numbers the others.
fn attributes<'s>(
    node: &mut super::tree::Node<'_>,
    level: Level<'s>,
    number: u32,
    (walk, levels, seen): (&mut Walk<'s>, &mut Vec<Level<'s>>, &mut Seen),
) {
    node.attributes.retain_mut(|attribute| {
        attribute.level = number;
        if !level.is_closed() {
            let below = walk.enter(level, Key::Attribute(&cut(&attribute.name.local)));
            walk.leave(below);
            if let Some(rule) = below.ignored {
                seen.hides(rule);
                return false;
            }
            levels.push(below);
            attribute.level = last(levels);
        }
        seen.left = true;
        true
    });
}

impl Seen {
    fn hides(&mut self, rule: RuleId) {
        if !self.hiding.contains(&rule) {
            self.hiding.push(rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compare::{
        Added, PlaceRule, Rules, Tolerance,
        compiled::{Compiled, scoped},
        markup::{html, survey, tests::found_under, xml},
        media,
        scope::Scope,
    };

    const NONE: [&str; 0] = [];

    fn ignoring(paths: &[&str]) -> Rules {
        let read = |path: &&str| path.parse().unwrap_or_else(|error| panic!("{error}"));
        Rules {
            ignore: paths.iter().map(read).collect(),
            ..Rules::default()
        }
    }

    #[test]
    fn what_a_finding_names_can_be_ignored() {
        for (a, b) in [
            ("<a b='1'/>", "<a b='2'/>"),
            ("<a b='1'/>", "<a/>"),
            ("<a><b>x</b><b>y</b></a>", "<a><b>x</b><b>z</b></a>"),
            ("<a><b>x</b></a>", "<a><b/></a>"),
            ("<a><b/><c i='1'>t</c></a>", "<a><b/></a>"),
            ("<a><b/></a>", "<a><b/><b>y</b></a>"),
            ("<a><i name='k' v='1'/></a>", "<a><i name='k' v='2'/></a>"),
            ("<x:a xmlns:x='u'><x:b>1</x:b></x:a>", "<a xmlns='u'><b>2</b></a>"),
            ("<!DOCTYPE a><a/>", "<!DOCTYPE b><a/>"),
        ] {
            let found = found_under(&Rules::default(), xml, a, b);
            let place = found[0].split([' ', ':']).nth(1).unwrap_or_default();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(
                found_under(&ignoring(&[place]), xml, a, b),
                NONE,
                "{place}: {a} {b}"
            );
            let without = place.replace("[2]", "");
            assert_eq!(found_under(&ignoring(&[&without]), xml, a, b), NONE, "{without}");
        }
    }

    #[test]
    fn nothing_else_is_ignored() {
        let rules = ignoring(&[
            "/list/item/@id",
            "//stamp",
            "/list/item[2]/n",
            "/list/f[@name='k']",
            "$..x",
        ]);
        for (a, b, expected) in [
            (
                "<list><item id='1'><n>1</n></item></list>",
                "<list><item id='2'><n>2</n></item></list>",
                "value /list/item/n/text(): 1 | 2",
            ),
            (
                "<list><item id='1'/></list>",
                "<list><item ID='2'/></list>",
                "added /list/item/@ID: (absent) | 2",
            ),
            (
                "<list><item id='1'/><x>1</x><stamp>1</stamp></list>",
                "<list><item id='2'/><x>2</x><stamp>2</stamp></list>",
                "value /list/x/text(): 1 | 2",
            ),
            (
                "<list><item/><item><n>1</n></item><item><n>1</n></item></list>",
                "<list><item/><item><n>2</n></item><item><n>3</n></item></list>",
                "value /list/item[3]/n/text(): 1 | 3",
            ),
            (
                "<list><f name='k' v='1'/><f name='l' v='1'/></list>",
                "<list><f name='k' v='2'/><f name='l' v='2'/></list>",
                "value /list/f[@name='l']/@v: 1 | 2",
            ),
            // Ignored parts do not affect matching: one more item is one difference.
            (
                "<list><item id='1'><m>a</m></item><item id='2'><m>b</m></item></list>",
                "<list><item id='7'><m>b</m></item></list>",
                "missing /list/item[1]: <item><m>a | (absent)",
            ),
        ] {
            assert_eq!(found_under(&rules, xml, a, b), [expected], "{a} {b}");
        }
        let page = |token: u32, text: &str| format!("<p>{text}<form><input name=csrf value={token}></form>");
        let rules = ignoring(&["//input[@name='csrf']/@value"]);
        assert_eq!(found_under(&rules, html, &page(1, "x"), &page(2, "x")), NONE);
        assert_eq!(found_under(&rules, html, &page(1, "x"), &page(2, "y")).len(), 1);
    }

    #[test]
    fn a_format_or_a_limit_can_be_asked_instead() {
        let place = |path: &str| PlaceRule {
            ignore: None,
            ..PlaceRule::ignoring(path.parse().unwrap_or_else(|error| panic!("{error}")))
        };
        let rules = Rules {
            places: vec![
                PlaceRule {
                    format: "rfc3339".parse().ok(),
                    ..place("/a/@at")
                },
                PlaceRule {
                    tolerance: Some(Tolerance {
                        absolute: 0.01,
                        relative: 0.0,
                    }),
                    ..place("/a/sum")
                },
            ],
            ..Rules::default()
        };
        let (day, night) = ("2026-11-22T20:00:00Z", "2026-11-22T23:00:00Z");
        for (a, b, expected) in [
            ((day, "1.001"), (night, "1.002"), 0),
            ((day, "1.001"), ("later", "1.002"), 1),
            ((day, "1.00"), (night, "1.02"), 1),
        ] {
            let document = |(at, sum): (&str, &str)| format!("<a at='{at}'><sum>{sum}</sum></a>");
            let found = found_under(&rules, xml, &document(a), &document(b));
            assert_eq!(found.len(), expected, "{found:?}");
        }
        let structural = Rules {
            places: vec![PlaceRule {
                added: Some(Added::Allow),
                ..place("/a")
            }],
            ..Rules::default()
        };
        let error = Compiled::new(structural).expect_err("for JSON only").to_string();
        assert!(error.contains("are about JSON"), "{error}");
    }

    #[test]
    fn rules_that_match_nothing_or_everything_are_told() {
        let rules = ignoring(&["/a/@typo", "/a/b", "$.a"]);
        let compiled = Compiled::new(rules).unwrap_or_else(|error| panic!("{error}"));
        let request = shadow_proto::testing::exchange("GET", "/").request;
        for text in ["<a><b>1</b><c>2</c></a>", "<a><b>1</b></a>"] {
            survey(
                &Scope::new(&compiled, &request),
                media::Kind::Xml,
                text.as_bytes(),
            );
        }
        let matched: Vec<_> = compiled
            .counters
            .usage()
            .into_iter()
            .map(|rule| (rule.what, rule.asked, rule.matched, rule.hid_all))
            .collect();
        let row = |what: &str, asked, matched, hid| (what.to_owned(), asked, matched, hid);
        assert_eq!(
            matched,
            [
                row("/a/@typo", 2, 0, 0),
                row("/a/b", 2, 2, 1),
                row("$.a", 0, 0, 0)
            ]
        );
    }

    #[test]
    fn a_rule_for_everything_leaves_nothing() {
        let rules = ignoring(&["/*"]);
        assert_eq!(found_under(&rules, xml, "<a>1</a>", "<b>2</b>"), NONE);
        scoped(&ignoring(&["$"]), |scope| assert!(scope.ignores_all()));
    }
}
