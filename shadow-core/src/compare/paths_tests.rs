use super::*;

/// Whether `path` ignores the place reached by `keys`.
fn ignores(path: &str, keys: &[Key<'_>]) -> bool {
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
    use Key::{Index, Name};
    let items_3_price = [Name("items"), Index(3), Name("price")];
    let cases: [(&str, &[Key<'_>], bool); 22] = [
        ("$.a", &[Name("a")], true),
        ("$.a", &[Name("b")], false),
        ("$.a", &[Name("b"), Name("a")], false),
        ("$.a", &[Name("a"), Name("below")], true),
        ("$.a.b", &[Name("a")], false),
        ("$.meta.request_id", &[Name("meta"), Name("request_id")], true),
        ("$.items[*].price", &items_3_price, true),
        ("$.items[3].price", &items_3_price, true),
        ("$.items[2].price", &items_3_price, false),
        ("$.items.*.price", &items_3_price, true),
        ("$['items'][ 3 ][\"price\"]", &items_3_price, true),
        ("$..price", &items_3_price, true),
        ("$..['price']", &items_3_price, true),
        ("$..[3]", &items_3_price, true),
        ("$..*", &[Name("any")], true),
        ("$..items..price", &items_3_price, true),
        ("$..price..items", &items_3_price, false),
        ("$..a..a", &[Name("a"), Name("a")], true),
        ("$..a..a", &[Name("a"), Name("b")], false),
        ("$['it\\'s']", &[Name("it's")], true),
        ("$['']", &[Name("")], true),
        ("$.ключ", &[Name("ключ")], true),
    ];
    for (path, keys, expected) in cases {
        assert_eq!(ignores(path, keys), expected, "{path} at {keys:?}");
    }
}

#[test]
fn the_root_alone_is_the_whole_document() {
    let set = PathSet::compile(&["$".to_owned()]).unwrap_or_else(|(_, error)| panic!("{error}"));
    assert!(set.whole());
}

#[test]
fn a_wrong_path_is_refused_with_its_column() {
    for (path, column) in [
        ("a.b", 1),
        ("", 1),
        ("$a", 2),
        ("$.", 3),
        ("$.a-b", 4),
        ("$.a[-1]", 5),
        ("$.a[0:2]", 6),
        ("$.a['b','c']", 8),
        ("$.a[?@.x]", 5),
        ("$.a['b", 7),
        ("$.a[0", 6),
        ("$...a", 4),
        ("$.a['\\n']", 8),
        ("$.1", 3),
    ] {
        let (index, error) = PathSet::compile(&["$.fine".to_owned(), path.to_owned()]).expect_err(path);
        assert_eq!((index, error.column), (1, column), "{error}");
    }
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
        "ключ",
        "a.b",
        "a-b",
    ] {
        let key = Key::Name(name);
        assert!(ignores(&format!("${key}"), &[key]), "{key}");
    }
}

#[test]
fn levels_are_left_in_order() {
    let paths = ["$.a[*].b".to_owned(), "$..z".to_owned()];
    let set = PathSet::compile(&paths).unwrap_or_else(|(_, error)| panic!("{error}"));
    let (mut walk, root) = Walk::new(&set);
    let a = walk.enter(root, Key::Name("a")).expect("not ignored");
    for index in 0..3 {
        let element = walk.enter(a, Key::Index(index)).expect("not ignored");
        assert!(walk.enter(element, Key::Name("b")).is_none(), "element {index}");
        let c = walk.enter(element, Key::Name("c")).expect("not ignored");
        assert!(!c.is_closed(), "descendants stay open");
        walk.leave(c);
        walk.leave(element);
    }
    walk.leave(a);
    assert!(walk.enter(root, Key::Name("z")).is_none());
}
