//! Route templates, learned from observed targets: `/users/123` and `/users/456` are `/users/{id}`.
//!
//! A segment that looks like a value becomes a placeholder. So does a new segment at a place with too many different
//! ones: such segments are names that look like words. Nothing is learned from a request that production did not
//! answer, or answered with 404: scanners ask for paths that do not exist.
//! Bounds: routes, nodes of the tree, literals at one place, segments, the length of a segment. Anything over a bound
//! is `{other}`; no traffic can increase the number of routes further.

use std::borrow::Cow;

use hashbrown::HashMap;
use shadow_proto::exchange::{Exchange, Request};

use crate::route_text::{METHODS, literal, path, placeholder, value_with_extension, without_parameters};

/// Distinct words at one place of a path; the next new one becomes `{name}`.
const LITERALS: usize = 40;

/// Segments of a path that are kept; the rest is `{rest}`.
const SEGMENTS: usize = 12;

/// Production has nothing at this path (RFC 9110 section 15.5.5).
const NOT_FOUND: u16 = 404;

/// Tree nodes per allowed route.
const NODES_PER_ROUTE: usize = 8;

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
    nodes: Vec<Node>,
    names: Vec<String>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<str>, u32>,
    /// Number of children that are not placeholders.
    literals: usize,
    /// One for each of [`METHODS`], and one for all other methods.
    routes: [Option<RouteId>; METHODS.len() + 1],
}

impl Routes {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            nodes: vec![Node::default()],
            names: vec!["{other}".to_owned()],
            limit,
        }
    }

    /// The route names, by index.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of a route.
    pub(crate) fn name(&self, route: RouteId) -> &str {
        self.names.get(route.index()).map_or("", String::as_str)
    }

    /// The route with this name, a new one if there is none. It is not learned: no exchange leads to it.
    pub(crate) fn named(&mut self, name: &str) -> RouteId {
        let at = self.names.iter().position(|known| known == name);
        if at.is_none() {
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
        self.find(&exchange.request, teaches)
    }

    fn find(&mut self, request: &Request, teaches: bool) -> RouteId {
        let Some(path) = path(&request.target) else {
            return RouteId::OTHER;
        };
        let mut at = 0;
        let mut before = "";
        for (number, segment) in path.split('/').enumerate() {
            if number == SEGMENTS {
                match self.child(at, "{rest}", true, teaches) {
                    Some(child) => at = child,
                    None => return RouteId::OTHER,
                }
                break;
            }
            let segment = without_parameters(segment);
            let (key, is_placeholder) = pattern(before, segment);
            before = segment;
            match self.child(at, &key, is_placeholder, teaches) {
                Some(child) => at = child,
                None => return RouteId::OTHER,
            }
        }
        self.route(at, &request.method, path, teaches)
    }

    fn child(&mut self, at: u32, key: &str, placeholder: bool, teaches: bool) -> Option<u32> {
        let room = self.nodes.len() < self.limit.saturating_mul(NODES_PER_ROUTE);
        let new = u32::try_from(self.nodes.len()).ok()?;
        let node = self.nodes.get_mut(at as usize)?;
        if let Some(child) = node.children.get(key) {
            return Some(*child);
        }
        if !placeholder && node.literals >= LITERALS {
            return self.child(at, "{name}", true, teaches);
        }
        if !room || !teaches {
            return None;
        }
        node.literals = node.literals.saturating_add(usize::from(!placeholder));
        node.children.insert(key.into(), new);
        self.nodes.push(Node::default());
        Some(new)
    }

    fn route(&mut self, at: u32, method: &[u8], path: &str, teaches: bool) -> RouteId {
        let number = METHODS
            .iter()
            .position(|known| known.as_bytes() == method)
            .unwrap_or(METHODS.len());
        let known = self
            .nodes
            .get(at as usize)
            .and_then(|node| node.routes.get(number).copied().flatten());
        if let Some(route) = known {
            return route;
        }
        if !teaches || self.names.len() > self.limit {
            return RouteId::OTHER;
        }
        let route = RouteId(u32::try_from(self.names.len()).unwrap_or_default());
        self.names.push(format!(
            "{} {}",
            METHODS.get(number).unwrap_or(&"OTHER"),
            self.template(path)
        ));
        if let Some(slot) = self
            .nodes
            .get_mut(at as usize)
            .and_then(|node| node.routes.get_mut(number))
        {
            *slot = Some(route);
        }
        route
    }

    /// The path that `learn` has just followed, as text. Called only once for each route.
    fn template(&self, path: &str) -> String {
        let mut out = String::new();
        let mut at = 0;
        let mut before = "";
        for (number, segment) in path.split('/').enumerate() {
            let said = without_parameters(segment);
            let segment = if number == SEGMENTS {
                Cow::Borrowed("{rest}")
            } else {
                pattern(before, said).0
            };
            before = said;
            let children = self.nodes.get(at as usize).map(|node| &node.children);
            let known = children.and_then(|children| children.get(&*segment));
            out.push('/');
            out.push_str(if known.is_some() { &segment } else { "{name}" });
            at = known
                .or_else(|| children.and_then(|children| children.get("{name}")))
                .copied()
                .unwrap_or_default();
            if number == SEGMENTS {
                break;
            }
        }
        out
    }
}

/// The form of a segment in a route, and whether it is a placeholder. Extensions are chosen by clients, so a pattern
/// with one counts as a word.
fn pattern<'s>(before: &str, segment: &'s str) -> (Cow<'s, str>, bool) {
    if let Some(secret) = secret(before, segment) {
        return (Cow::Borrowed(secret), true);
    }
    if let Some(file) = value_with_extension(segment) {
        return (Cow::Owned(file), false);
    }
    match placeholder(segment) {
        Some(placeholder) => (Cow::Borrowed(placeholder), true),
        None => (literal(segment), false),
    }
}

/// Placeholder for a segment that may be a secret given to a user (`/reset/f3a9c1d2`), because route names are shown.
fn secret(before: &str, segment: &str) -> Option<&'static str> {
    crate::redact::is_secret_segment(before, segment).then_some("{id}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use shadow_proto::testing;

    fn learn<'r>(routes: &'r mut Routes, method: &str, target: &str) -> &'r str {
        let mut exchange = testing::exchange(method, "");
        exchange.request.target = target.to_owned().into();
        answered(routes, exchange, 200)
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
        let mut routes = Routes::new(1000);
        assert_eq!(learn(&mut routes, "GET", "/users/1"), "GET /users/{id}");
        for number in 0..10 * LITERALS {
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
        let mut routes = Routes::new(100);
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
    fn too_many_names_at_one_place_become_one() {
        let mut routes = Routes::new(1000);
        let letters = |mut number: usize| -> String {
            (0..4)
                .map(|_| {
                    let letter = char::from(b'g' + u8::try_from(number % 18).unwrap_or_default());
                    number /= 18;
                    letter
                })
                .collect()
        };
        for number in 0..10_000 {
            learn(
                &mut routes,
                "GET",
                &format!("/products/{}/price", letters(number)),
            );
        }
        assert_eq!(
            learn(&mut routes, "GET", "/products/somethingnew/price"),
            "GET /products/{name}/price"
        );
        assert_eq!(routes.names().len(), 1 + LITERALS + 1, "{:?}", routes.names());
    }

    #[test]
    fn a_hundred_thousand_distinct_paths_are_few_routes() {
        let mut routes = Routes::new(256);
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
        assert!(routes.names().len() <= 257, "{} routes", routes.names().len());
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
        let mut routes = Routes::new(64);
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
        assert!(routes.names().len() <= 65, "{} routes", routes.names().len());
        assert!(
            routes.nodes.len() <= 64 * NODES_PER_ROUTE,
            "{} nodes",
            routes.nodes.len()
        );
        assert_eq!(learn(&mut routes, "GET", "/entirely/new"), "{other}");
    }
}
