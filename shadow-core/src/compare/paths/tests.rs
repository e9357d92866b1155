use crate::compare::json::tape::Tape;

use super::*;

use Key::{Index, Name};

/// An element with only a position.
fn element(index: usize, len: usize) -> Key<'static> {
    let tape = Box::leak(Box::new(Tape::parse(b"0").expect("a number")));
    Key::Item(index, len, tape.root().expect("it has a value"))
}

/// Whether `path` ends at or above the place reached by `keys`.
impl PathSet {
    /// Compiles all paths; the error has the index of the wrong one.
    fn compile(paths: &[String]) -> Result<Self, (usize, PathError)> {
        let mut set = Self::default();
        for (index, path) in paths.iter().enumerate() {
            let path: JsonPath = path.parse().map_err(|error| (index, error))?;
            set.add(index, path.steps());
        }
        Ok(set)
    }
}

fn ends(path: &str, keys: &[Key<'_>]) -> bool {
    let set = PathSet::compile(&[path.to_owned()]).unwrap_or_else(|(_, error)| panic!("{error}"));
    let (mut walk, mut level) = Walk::new(&set);
    for &key in keys {
        match walk.enter(level, key) {
            Some(next) => level = next,
            None => return true,
        }
    }
    false
}

#[test]
fn paths_name_the_places_that_rfc_9535_says() {
    let items_3_price = [Name("items"), element(3, 5), Name("price")];
    let cases: [(&str, &[Key<'_>], bool); 32] = [
        ("$.a", &[Name("a")], true),
        ("$.a", &[Name("b")], false),
        ("$.a", &[Name("b"), Name("a")], false),
        ("$.a", &[Name("a"), Name("below")], true),
        ("$.a.b", &[Name("a")], false),
        ("$.meta.request_id", &[Name("meta"), Name("request_id")], true),
        ("$.items[*].price", &items_3_price, true),
        ("$.items[3].price", &items_3_price, true),
        ("$.items[2].price", &items_3_price, false),
        ("$.items[-2].price", &items_3_price, true),
        ("$.items[-1].price", &items_3_price, false),
        ("$.items[1,3].price", &items_3_price, true),
        ("$.items[1:].price", &items_3_price, true),
        ("$.items[0,'x',4:].price", &items_3_price, false),
        ("$.items['3'].price", &items_3_price, false),
        ("$['items','rows'][*]['cost', 'price']", &items_3_price, true),
        ("$.items.*.price", &items_3_price, true),
        ("$['items'][ 3 ][\"price\"]", &items_3_price, true),
        ("$ .items [3]\t['price']", &items_3_price, true),
        ("$..price", &items_3_price, true),
        ("$..['price']", &items_3_price, true),
        ("$..[3]", &items_3_price, true),
        ("$..[-2]", &items_3_price, true),
        ("$..*", &[Name("any")], true),
        ("$..items..price", &items_3_price, true),
        ("$..price..items", &items_3_price, false),
        ("$..a..a", &[Name("a"), Name("a")], true),
        ("$..a..a", &[Name("a"), Name("b")], false),
        ("$['it\\'s']", &[Name("it's")], true),
        ("$['\\u00e9\\uD83D\\uDE00\\n']", &[Name("é😀\n")], true),
        ("$['']", &[Name("")], true),
        ("$.ключ", &[Name("ключ")], true),
    ];
    for (path, keys, expected) in cases {
        assert_eq!(ends(path, keys), expected, "{path} at {keys:?}");
    }
}

/// The examples of RFC 9535 section 2.3.4.3, over `["a", "b", "c", "d", "e", "f", "g"]`, and more.
#[test]
fn slices_select_what_rfc_9535_says() {
    let cases: [(&str, &[usize]); 14] = [
        ("1:3", &[1, 2]),
        ("5:", &[5, 6]),
        ("1:5:2", &[1, 3]),
        ("5:1:-2", &[3, 5]),
        ("::-1", &[0, 1, 2, 3, 4, 5, 6]),
        (":", &[0, 1, 2, 3, 4, 5, 6]),
        ("-2:", &[5, 6]),
        (":-5", &[0, 1]),
        ("::3", &[0, 3, 6]),
        ("0:9007199254740991", &[0, 1, 2, 3, 4, 5, 6]),
        ("3:3", &[]),
        ("::0", &[]),
        ("-1::-3", &[0, 3, 6]),
        (" 1 : 3 : 1 ", &[1, 2]),
    ];
    for (slice, expected) in cases {
        let path = format!("$[{slice}]");
        let selected: Vec<usize> = (0..7)
            .filter(|index| ends(&path, &[element(*index, 7)]))
            .collect();
        assert_eq!(selected, expected, "{path}");
        assert!(
            (0..7).all(|index| !ends(&path, &[Name(&index.to_string())])),
            "{path}"
        );
    }
    assert!(!ends("$[::-1]", &[element(0, 0)]), "nothing in nothing");
}

#[test]
fn without_a_length_what_depends_on_it_matches() {
    for (path, index, expected) in [
        ("$[3]", 3, true),
        ("$[3]", 2, false),
        ("$[-1]", 2, true),
        ("$[1:3]", 2, true),
        ("$[1:3]", 3, false),
        ("$[2:]", 1_000, true),
        ("$[-2:]", 0, true),
        ("$[::-1]", 0, true),
        ("$[::0]", 0, false),
    ] {
        assert_eq!(ends(path, &[Index(index)]), expected, "{path} {index}");
    }
}

#[test]
fn the_root_alone_is_the_whole_document() {
    let set = PathSet::compile(&["$".to_owned()]).unwrap_or_else(|(_, error)| panic!("{error}"));
    assert!(set.whole());
    assert_eq!(set.roots(), [0]);
}

#[test]
fn a_wrong_path_is_refused_with_its_column() {
    for (path, column) in [
        ("a.b", 1),
        ("", 1),
        ("$a", 2),
        ("$.", 3),
        ("$.a-b", 4),
        ("$ ", 3),
        ("$.a[-0]", 5),
        ("$.a[01]", 5),
        ("$.a[0:2:1:1]", 10),
        ("$.a['b' 'c']", 9),
        ("$.a['b',]", 9),
        ("$.a[?@.x]", 5),
        ("$.a[0, ?@.x]", 8),
        ("$.a[9007199254740992]", 5),
        ("$.a['b", 7),
        ("$.a[0", 6),
        ("$...a", 4),
        ("$.a['\\x']", 7),
        ("$.a['\\ud800']", 7),
        ("$.a['\\\"']", 7),
        ("$.a['\n']", 6),
        ("$.1a", 3),
    ] {
        let (index, error) = PathSet::compile(&["$.fine".to_owned(), path.to_owned()]).expect_err(path);
        assert_eq!((index, error.column), (1, column), "{error}");
    }
    let filter = "$[?@.x]".parse::<JsonPath>().expect_err("a filter").to_string();
    assert!(filter.contains("must not depend on values"), "{filter}");
}

#[test]
fn a_key_reads_back_as_a_path() {
    for name in [
        "plain",
        "with space",
        "it's",
        "back\\slash",
        "",
        "0digit",
        "13",
        "ключ",
        "a.b",
        "a-b",
        "a\nb\u{7f}\u{85}",
    ] {
        let key = Name(name);
        assert!(ends(&format!("${key}"), &[key]), "{key}");
    }
}

#[test]
fn levels_are_left_in_order() {
    let paths = ["$.a[*].b".to_owned(), "$..z".to_owned()];
    let set = PathSet::compile(&paths).unwrap_or_else(|(_, error)| panic!("{error}"));
    let (mut walk, root) = Walk::new(&set);
    let a = walk.enter(root, Name("a")).expect("does not end");
    for index in 0..3 {
        let element = walk.enter(a, Index(index)).expect("does not end");
        assert!(walk.enter(element, Name("b")).is_none(), "element {index}");
        let c = walk.enter(element, Name("c")).expect("does not end");
        assert!(!c.is_closed(), "descendants stay open");
        walk.leave(c);
        walk.leave(element);
    }
    walk.leave(a);
    assert!(walk.enter(root, Name("z")).is_none());
}

#[test]
fn each_path_is_told_by_its_number() {
    let paths = ["$.a", "$..a", "$.b", "$[*]"].map(|path| path.parse::<JsonPath>().expect(path));
    let set = PathSet::of(paths.iter().map(JsonPath::steps));
    let ended = |is_active: fn(u32) -> bool| {
        let (mut walk, root) = Walk::only(&set, is_active);
        let mut ended = Vec::new();
        walk.step(root, Name("a"), |path| ended.push(path));
        ended
    };
    assert_eq!(ended(|_| true), [0, 1, 3]);
    assert_eq!(ended(|path| path != 1), [0, 3]);
}

#[test]
fn many_descendants_stay_cheap() {
    let paths: Vec<String> = (0..1_000).map(|number| format!("$..a..b{number}")).collect();
    let set = PathSet::compile(&paths).unwrap_or_else(|(_, error)| panic!("{error}"));
    let (mut walk, mut level) = Walk::new(&set);
    for _ in 0..100 {
        level = walk.enter(level, Name("a")).expect("does not end");
        assert_eq!(level.end - level.start, 2_000, "each step is open once");
    }
}
