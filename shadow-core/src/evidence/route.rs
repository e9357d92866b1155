//! Route templates, learned from observed targets: `/users/123` and `/users/456` are `/users/{id}`.
//!
//! A segment that looks like a value becomes a placeholder. Where a path has too many different words, the words are
//! data: all of them become `{name}`, also those that were routes of their own until then. Where such names follow
//! each other in paths of several lengths, the path is that of a file: `{rest}`. Both depend on which paths occur, not
//! on their order. Nothing is learned from a request that production did not answer, or answered with 404: scanners ask
//! for paths that do not exist.
//! Bounds: routes, nodes of the tree, words at one place, segments, the length of a segment. Anything over a bound is
//! `{other}`; no traffic can increase the number of routes further.

use std::borrow::Cow;

use hashbrown::HashMap;
use shadow_proto::exchange::{Exchange, Request};

use crate::route_text::{METHODS, literal, path, placeholder, value_with_extension, without_parameters};

/// Segments of a path that are kept; the rest is `{rest}`.
const SEGMENTS: usize = 12;

/// Production has nothing at this path (RFC 9110 section 15.5.5).
const NOT_FOUND: u16 = 404;

/// Tree nodes, and ids of routes over time, per allowed route.
const NODES_PER_ROUTE: usize = 8;

/// The pattern of a segment that is a name.
pub(super) const NAME: &str = "{name}";

/// The pattern of all further segments.
pub(super) const REST: &str = "{rest}";

/// The node of the empty path.
const ROOT: u32 = 0;

/// Index of a route; 0 is `{other}`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct RouteId(u32);

impl RouteId {
    pub(crate) const OTHER: Self = Self(0);

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// The route at an index.
    pub(crate) fn of(index: usize) -> Option<Self> {
        u32::try_from(index).ok().map(Self)
    }
}

/// The tree of path segments, and the routes at its nodes.
#[derive(Debug)]
pub(crate) struct Routes {
    pub(super) nodes: Vec<Node>,
    /// Nodes that became part of others, to be used again.
    pub(super) free: Vec<u32>,
    /// By id.
    names: Vec<String>,
    /// By id: the route that a route is part of; itself if it is none.
    pub(super) into: Vec<RouteId>,
    /// Routes that became part of others and were not taken yet.
    pub(super) joined: Vec<RouteId>,
    /// Routes that are part of no other.
    pub(super) live: usize,
    limit: usize,
    /// Distinct words at one place of a path; with one more they are `{name}`.
    words: usize,
}

#[derive(Debug, Default)]
pub(super) struct Node {
    parent: u32,
    /// Its segment.
    key: Box<str>,
    pub(super) children: HashMap<Box<str>, u32>,
    /// Number of children that are not placeholders.
    pub(super) literals: usize,
    pub(super) below: Below,
    /// One for each of [`METHODS`], and one for all other methods.
    pub(super) routes: [Option<RouteId>; METHODS.len() + 1],
}

/// The segments below a node.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Below {
    #[default]
    Words,
    /// Each word is `{name}`.
    Names,
    /// Any number of any segments.
    Rest,
}

/// A node that becomes part of another one: with its own children, or with all of them in the one node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) from: u32,
    pub(super) into: u32,
    pub(super) flat: bool,
}

impl Routes {
    /// `limit`: the number of routes. `words`: the number of distinct words at one place of a path.
    pub(crate) fn new(limit: usize, words: usize) -> Self {
        Self {
            nodes: vec![Node::default()],
            free: Vec::new(),
            names: vec!["{other}".to_owned()],
            into: vec![RouteId::OTHER],
            joined: Vec::new(),
            live: 0,
            limit,
            words,
        }
    }

    /// The route names, by index.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of a route, or of the one that it is part of.
    pub(crate) fn name(&self, route: RouteId) -> &str {
        self.names
            .get(self.resolved(route).index())
            .map_or("", String::as_str)
    }

    /// The route that a route is part of, or itself.
    pub(crate) fn resolved(&self, mut route: RouteId) -> RouteId {
        // Each step leads to a route that is newer, or that was alive later.
        for _ in 0..self.into.len() {
            match self.into.get(route.index()) {
                Some(into) if *into != route => route = *into,
                _ => break,
            }
        }
        route
    }

    /// The routes that became part of others since the last call.
    pub(crate) fn take_joined(&mut self) -> Vec<RouteId> {
        core::mem::take(&mut self.joined)
    }

    /// The route with this name, a new one if there is none. It is not learned: no exchange leads to it.
    pub(crate) fn named(&mut self, name: &str) -> RouteId {
        let at = self.names.iter().position(|known| known == name);
        if at.is_none() {
            self.into
                .push(RouteId(u32::try_from(self.names.len()).unwrap_or_default()));
            self.names.push(name.to_owned());
        }
        RouteId(u32::try_from(at.unwrap_or(self.names.len().saturating_sub(1))).unwrap_or_default())
    }

    /// The route of an exchange. A new one is learned only within the limits, and only if production's answer shows
    /// that the path exists.
    pub(crate) fn of(&mut self, exchange: &Exchange) -> RouteId {
        let is_there = |status| status != NOT_FOUND;
        let answer = exchange.response.as_ref();
        let teaches = answer.is_some_and(|answer| is_there(answer.status));
        let ids = self.names.len();
        let found = self.find(&exchange.request, teaches);
        if self.names.len() > ids {
            self.find_files();
        }
        found.map_or(RouteId::OTHER, |route| self.resolved(route))
    }

    fn find(&mut self, request: &Request, teaches: bool) -> Option<RouteId> {
        let path = path(&request.target)?;
        let mut at = ROOT;
        let mut before = "";
        for (number, segment) in path.split('/').enumerate() {
            if number == SEGMENTS || self.below(at) == Below::Rest {
                at = self.child(at, REST, teaches)?;
                break;
            }
            let segment = without_parameters(segment);
            at = self.child(at, &pattern(before, segment), teaches)?;
            before = segment;
        }
        self.route(at, &request.method, teaches)
    }

    pub(super) fn below(&self, at: u32) -> Below {
        self.nodes
            .get(at as usize)
            .map_or(Below::Words, |node| node.below)
    }

    /// The node of a segment after those of a node.
    fn child(&mut self, at: u32, key: &str, teaches: bool) -> Option<u32> {
        let node = self.nodes.get(at as usize)?;
        let is_name = node.below == Below::Names && !is_placeholder(key);
        let known = node.children.get(if is_name { NAME } else { key });
        if known.is_some() || !teaches {
            return known.copied();
        }
        let used = self.nodes.len().saturating_sub(self.free.len());
        if used >= self.limit.saturating_mul(NODES_PER_ROUTE) || !self.has_ids() {
            return None;
        }
        let mut parts = Vec::new();
        let child = self.child_of_any(at, key, &mut parts);
        self.merge(parts);
        child
    }

    /// The node of a segment after those of a node. The words that thereby prove to be names are added to `parts`.
    pub(super) fn child_of_any(&mut self, at: u32, key: &str, parts: &mut Vec<Part>) -> Option<u32> {
        let node = self.nodes.get_mut(at as usize)?;
        let is_word = !is_placeholder(key);
        if is_word && node.below == Below::Names {
            return self.added(at, NAME);
        }
        if is_word && node.literals >= self.words && !node.children.contains_key(key) {
            self.gather(at, Below::Names, parts);
            return self.added(at, NAME);
        }
        let is_new = !node.children.contains_key(key);
        node.literals = node.literals.saturating_add(usize::from(is_word && is_new));
        self.added(at, key)
    }

    /// The child with this key; it is added if there is none.
    pub(super) fn added(&mut self, at: u32, key: &str) -> Option<u32> {
        if let Some(child) = self.nodes.get(at as usize)?.children.get(key) {
            return Some(*child);
        }
        let node = Node {
            parent: at,
            key: key.into(),
            ..Node::default()
        };
        let new = if let Some(free) = self.free.pop() {
            *self.nodes.get_mut(free as usize)? = node;
            free
        } else {
            let new = u32::try_from(self.nodes.len()).ok()?;
            self.nodes.push(node);
            new
        };
        let parent = self.nodes.get_mut(at as usize)?;
        parent.children.insert(key.into(), new);
        Some(new)
    }

    fn route(&mut self, at: u32, method: &[u8], teaches: bool) -> Option<RouteId> {
        let number = METHODS
            .iter()
            .position(|known| known.as_bytes() == method)
            .unwrap_or(METHODS.len());
        let known = *self.nodes.get(at as usize)?.routes.get(number)?;
        if known.is_some() {
            return known;
        }
        if !teaches || self.live >= self.limit || !self.has_ids() {
            return None;
        }
        self.added_route(at, number)
    }

    /// Whether there are ids for new routes, and for those that the present ones become.
    fn has_ids(&self) -> bool {
        self.names.len().saturating_add(self.live) < self.limit.saturating_mul(NODES_PER_ROUTE)
    }

    pub(super) fn added_route(&mut self, at: u32, number: usize) -> Option<RouteId> {
        let route = RouteId::of(self.names.len())?;
        let method = METHODS.get(number).unwrap_or(&"OTHER");
        self.names.push(format!("{method} {}", self.template(at)));
        self.into.push(route);
        self.live = self.live.saturating_add(1);
        *self.nodes.get_mut(at as usize)?.routes.get_mut(number)? = Some(route);
        Some(route)
    }

    /// The path to a node.
    fn template(&self, mut at: u32) -> String {
        let mut keys = Vec::new();
        while let Some(node) = self.nodes.get(at as usize).filter(|_| at != ROOT) {
            keys.push(&*node.key);
            at = node.parent;
        }
        keys.iter()
            .rev()
            .fold(String::new(), |path, key| path + "/" + key)
    }
}

/// The pattern of a segment: a placeholder or a word. Extensions are chosen by clients, so a pattern with one counts as
/// a word.
fn pattern<'s>(before: &str, segment: &'s str) -> Cow<'s, str> {
    // A secret that was given to a user (`/reset/f3a9c1d2`) must not be shown in the name of a route.
    if crate::redact::is_secret_segment(before, segment) {
        return Cow::Borrowed("{id}");
    }
    if let Some(file) = value_with_extension(segment) {
        return Cow::Owned(file);
    }
    placeholder(segment).map_or_else(|| literal(segment), Cow::Borrowed)
}

/// Whether a pattern matches any value. Captured braces are encoded, so they do not look like one.
pub(super) fn is_placeholder(pattern: &str) -> bool {
    pattern.starts_with('{') && pattern.ends_with('}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadow_proto::testing;

    const WORDS: usize = 40;

    /// The names of all routes that are part of no other, in order.
    fn table(routes: &Routes) -> Vec<&str> {
        let live = |(id, _): &(usize, &String)| routes.into[*id].index() == *id;
        let mut names: Vec<&str> = routes
            .names
            .iter()
            .enumerate()
            .filter(live)
            .map(|(_, name)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    fn learn<'r>(routes: &'r mut Routes, method: &str, target: &str) -> &'r str {
        let mut exchange = testing::exchange(method, "");
        exchange.request.target = target.to_owned().into();
        answered(routes, exchange, 200)
    }

    fn below(random: &mut testing::Random, limit: usize) -> usize {
        usize::try_from(random.number() % limit as u64).unwrap_or_default()
    }

    /// A word of four letters, different for each number below 18^4, that does not look like a value.
    fn word(mut number: usize) -> String {
        (0..4)
            .map(|_| {
                let letter = char::from(b'g' + u8::try_from(number % 18).unwrap_or_default());
                number /= 18;
                letter
            })
            .collect()
    }

    fn answered(routes: &mut Routes, mut exchange: Exchange, status: u16) -> &str {
        if let Some(response) = &mut exchange.response {
            response.status = status;
        }
        let id = routes.of(&exchange);
        routes.name(id)
    }

    #[test]
    fn paths_that_production_does_not_know_teach_nothing() {
        let mut routes = Routes::new(1000, WORDS);
        assert_eq!(learn(&mut routes, "GET", "/users/1"), "GET /users/{id}");
        for number in 0..10 * WORDS {
            let letter = |shift: usize| char::from(b'g' + u8::try_from((number >> shift) % 16).unwrap());
            let target = format!("/scan{}{}{}/x", letter(0), letter(4), letter(8));
            let mut unanswered = testing::exchange("GET", &target);
            assert_eq!(answered(&mut routes, unanswered.clone(), 404), "{other}");
            unanswered.response = None;
            assert_eq!(answered(&mut routes, unanswered, 0), "{other}");
        }
        assert_eq!(learn(&mut routes, "GET", "/checkout"), "GET /checkout");
        let missing = testing::exchange("GET", "/users/999");
        assert_eq!(
            answered(&mut routes, missing, 404),
            "GET /users/{id}",
            "a missing one of a kind that is known"
        );
        assert_eq!(routes.names().len(), 3, "{:?}", routes.names());
    }

    #[test]
    fn values_become_placeholders_and_words_stay() {
        let mut routes = Routes::new(100, WORDS);
        for (target, expected) in [
            ("/", "GET /"),
            ("/users/123", "GET /users/{id}"),
            ("/users/456?x=1#y", "GET /users/{id}"),
            ("/users/me", "GET /users/me"),
            ("/users/", "GET /users/"),
            ("/api/v2/items", "GET /api/v2/items"),
            ("/o/123e4567-e89b-12d3-a456-426614174000/x", "GET /o/{id}/x"),
            ("/o/DEADBEEFDEADBEEF", "GET /o/{id}"),
            ("/o/5f2b8c1d", "GET /o/{id}"),
            ("/o/facade", "GET /o/facade"),
            ("/d/2024-01-31", "GET /d/{date}"),
            ("/d/2024-01-31T10:00:00Z", "GET /d/{date}"),
            ("/d/order-20931", "GET /d/{id}"),
            ("/t/Xk29dTq7Lm4PzW8r", "GET /t/{id}"),
            ("/m/ann@example.org", "GET /m/{email}"),
            ("/m/ann%40example.org", "GET /m/{email}"),
            ("/p/12.5,-3.25", "GET /p/{id}"),
            ("/static/main.css", "GET /static/main.css"),
            ("/static/main.4f3a9c1d.css", "GET /static/main.4f3a9c1d.css"),
            ("/items/586.json", "GET /items/{id}.json"),
            ("/items/20931.json?x=1", "GET /items/{id}.json"),
            ("/days/2024-01-31.csv", "GET /days/{date}.csv"),
            ("/v/1.2.3", "GET /v/{id}"),
            ("http://host:80/users/9?y", "GET /users/{id}"),
            ("http://host", "GET /"),
            ("*", "GET /%2A"),
            ("/login;jsessionid=abc/x", "GET /login/x"),
            ("", "{other}"),
            ("/\u{e9}", "{other}"),
            (
                "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o",
                "GET /a/b/c/d/e/f/g/h/i/j/k/l/{rest}",
            ),
        ] {
            assert_eq!(learn(&mut routes, "GET", target), expected, "{target}");
        }
        assert_eq!(learn(&mut routes, "BREW", "/users/1"), "OTHER /users/{id}");
        assert_eq!(learn(&mut routes, "POST", "/users/1"), "POST /users/{id}");
    }

    #[test]
    fn too_many_words_at_one_place_become_one_name_with_those_before() {
        let mut routes = Routes::new(1000, WORDS);
        for number in 0..10_000 {
            if number == WORDS {
                assert_eq!(table(&routes).len(), 1 + WORDS, "{:?}", table(&routes));
            }
            learn(&mut routes, "GET", &format!("/products/{}/price", word(number)));
        }
        assert_eq!(table(&routes), ["GET /products/{name}/price", "{other}"]);
        assert_eq!(
            learn(&mut routes, "GET", &format!("/products/{}/price", word(3))),
            "GET /products/{name}/price",
            "a name of the first ones"
        );
        let mut missing = testing::exchange("GET", "/products/unknown/price");
        assert_eq!(
            answered(&mut routes, missing.clone(), 404),
            "GET /products/{name}/price"
        );
        missing.request.target = "/unknown".into();
        assert_eq!(answered(&mut routes, missing, 404), "{other}");
    }

    #[test]
    fn files_of_one_wildcard_are_one_route() {
        let mut routes = Routes::new(1000, WORDS);
        let mut random = testing::Random(7);
        for _ in 0..5_000 {
            let mut target = "/files".to_owned();
            for _ in 0..=random.number() % 4 {
                target = format!("{target}/{}", word(below(&mut random, 60)));
            }
            learn(&mut routes, "GET", &target);
            learn(
                &mut routes,
                "GET",
                &format!("/blog/2024/post-{}.html", random.number() % 90),
            );
        }
        assert_eq!(
            table(&routes),
            ["GET /blog/{id}/{name}", "GET /files/{rest}", "{other}"]
        );
        assert_eq!(
            learn(&mut routes, "GET", "/files/a%20b/1/c.txt"),
            "GET /files/{rest}"
        );
        assert_eq!(learn(&mut routes, "GET", "/files"), "GET /files");
    }

    /// Paths with names at several places, some of which are too many only once others are one.
    fn mixed() -> Vec<(&'static str, String)> {
        let mut targets: Vec<(&str, String)> = Vec::new();
        for number in 0..100 {
            let [a, b] = [number, number + 7].map(word);
            targets.push(("GET", format!("/products/{a}")));
            targets.push(("POST", format!("/products/{a}/reviews")));
            targets.push(("GET", format!("/products/{a}/reviews/{}", number % 3)));
            // Two names after each other: too many only once those before are one.
            targets.push(("GET", format!("/owners/{a}/repos/{b}/issues")));
            targets.push(("GET", format!("/items/{}.json", number * 31)));
            // Files below a few folders, and folders below names.
            targets.push(("GET", format!("/static/{}/{a}.css", ["a", "b"][number % 2])));
            targets.push(("GET", format!("/tree/{a}")));
            targets.push(("GET", format!("/tree/{b}/{a}")));
            targets.push(("GET", format!("/tree/{a}/{b}/x{number}.txt")));
            targets.push(("GET", format!("/tree/{a}/{b}/{a}/{b}/c")));
            targets.push(("GET", format!("/tree/{}/y", number * 1000)));
        }
        for number in 0..WORDS {
            targets.push(("GET", format!("/few/{}", word(number))));
        }
        targets
    }

    #[test]
    fn the_order_of_arrival_does_not_matter() {
        let (mut random, mut targets) = (testing::Random(5), mixed());
        let learned = |targets: &[(&str, String)]| {
            let mut routes = Routes::new(4000, WORDS);
            for (method, target) in targets {
                learn(&mut routes, method, target);
            }
            let by_target: Vec<String> = {
                let mut sorted: Vec<&(&str, String)> = targets.iter().collect();
                sorted.sort();
                let names = sorted
                    .iter()
                    .map(|(method, target)| learn(&mut routes, method, target).to_owned());
                names.collect()
            };
            let table: Vec<String> = table(&routes).into_iter().map(str::to_owned).collect();
            (table, by_target)
        };
        let expected = learned(&targets);
        let merged: Vec<&String> = expected.0.iter().filter(|name| !name.contains("/few/")).collect();
        assert_eq!(
            merged,
            [
                "GET /items/{id}.json",
                "GET /owners/{name}/repos/{name}/issues",
                "GET /products/{name}",
                "GET /products/{name}/reviews/{id}",
                "GET /static/a/{name}",
                "GET /static/b/{name}",
                "GET /tree/{rest}",
                "POST /products/{name}/reviews",
                "{other}",
            ]
        );
        assert_eq!(expected.0.len(), merged.len() + WORDS, "{:?}", expected.0);
        targets.reverse();
        assert_eq!(learned(&targets), expected, "from the last to the first");
        targets.sort();
        assert_eq!(learned(&targets), expected, "sorted");
        for round in 0..40 {
            for at in (1..targets.len()).rev() {
                targets.swap(at, below(&mut random, at + 1));
            }
            assert_eq!(learned(&targets), expected, "round {round}");
        }
    }

    #[test]
    fn a_hundred_thousand_distinct_paths_are_few_routes() {
        let mut routes = Routes::new(256, WORDS);
        let mut state = 1u64;
        for number in 0..100_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let word = |length: u64, seed: u64| -> String {
                let letter = |at: u64| {
                    let pick = seed.wrapping_mul(at + 3).rotate_left(17) % 26;
                    char::from(b'a' + u8::try_from(pick).unwrap_or_default())
                };
                (0..length).map(letter).collect()
            };
            let path = match number % 5 {
                0 => format!("/users/{number}"),
                1 => format!("/users/{number}/orders/{state:016x}"),
                2 => format!("/products/{}", word(4 + state % 8, state >> 8)),
                3 => format!(
                    "/{}/{}/{}",
                    word(5, state >> 20),
                    word(6, state >> 9),
                    word(7, state >> 3)
                ),
                _ => format!("/files/{}/{}.bin", word(3, state >> 30), word(40, state >> 5)),
            };
            learn(&mut routes, "GET", &path);
        }
        assert!(table(&routes).len() <= 257, "{} routes", table(&routes).len());
        assert!(
            routes.names().len() <= 256 * NODES_PER_ROUTE + 256,
            "{} ids",
            routes.names().len()
        );
        assert!(
            routes.nodes.len() <= 256 * NODES_PER_ROUTE,
            "{} nodes",
            routes.nodes.len()
        );
        // Regular routes keep their names despite all the noise.
        assert_eq!(learn(&mut routes, "GET", "/users/7"), "GET /users/{id}");
        assert_eq!(
            learn(&mut routes, "GET", "/users/7/orders/0123456789abcdef"),
            "GET /users/{id}/orders/{id}"
        );
    }

    #[test]
    fn nothing_makes_the_routes_explode() {
        let mut routes = Routes::new(64, WORDS);
        for a in 0..60 {
            for b in 0..60 {
                let word = |number: i32| "x".repeat(usize::try_from(number).unwrap_or_default() % 40 + 1);
                learn(
                    &mut routes,
                    "GET",
                    &format!("/{}/{}/{}/{a}{b}", word(a), word(b), word(a + b)),
                );
            }
        }
        assert!(table(&routes).len() <= 65, "{} routes", table(&routes).len());
        assert!(
            routes.nodes.len() <= 64 * NODES_PER_ROUTE,
            "{} nodes",
            routes.nodes.len()
        );
        assert_eq!(learn(&mut routes, "GET", "/entirely/new"), "{other}");
    }
}
