//! Checks that modules of a crate import each other without cycles, and that crates depend in one direction only.
//!
//! An import is a `use` declaration or a path that begins with `crate`, `self` or `super`, outside tests. A module
//! and its own ancestors form one unit (`mod.rs` joins its parts), so imports of an ancestor are not counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};
use syn::{
    Attribute, Item, ItemMod, ItemUse, Meta, UseTree,
    visit::{self, Visit},
};

use crate::shell;

/// Crates whose modules are checked.
const CRATES: &[&str] = &[
    "shadow-common",
    "shadow-proto",
    "shadow-core",
    "shadow-agent",
    "xtask",
];

/// A module by its path in the crate; the root is the empty path.
type Module = Vec<String>;

/// Fails with a list of every cycle and the modules in it.
pub(crate) fn run() -> Result<()> {
    let mut cycles = Vec::new();
    for name in CRATES {
        let modules = modules(&shell::root().join(name).join("src"))?;
        let imports = top_level(&imports(&modules)?);
        cycles.extend(
            found(&imports)
                .into_iter()
                .map(|cycle| format!("{name}: {}", cycle.join(" -> "))),
        );
    }
    if cycles.is_empty() {
        return Ok(());
    }
    bail!("modules import each other:\n{}", cycles.join("\n"))
}

/// Every module of a crate with its file.
fn modules(src: &Path) -> Result<BTreeMap<Module, PathBuf>> {
    let mut modules = BTreeMap::new();
    let mut folders = vec![(src.to_owned(), Module::new())];
    while let Some((folder, path)) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let file = entry?.path();
            let name = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let mut module = path.clone();
            if file.is_dir() {
                module.push(name);
                folders.push((file, module));
            } else if name.ends_with("tests") {
                // A file of tests, included under `cfg(test)`.
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                if !matches!(name.as_str(), "mod" | "lib" | "main") {
                    module.push(name);
                }
                modules.entry(module).or_insert(file);
            }
        }
    }
    Ok(modules)
}

/// The modules that each module imports.
fn imports(modules: &BTreeMap<Module, PathBuf>) -> Result<BTreeMap<Module, BTreeSet<Module>>> {
    let mut imports = BTreeMap::new();
    for (module, file) in modules {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let file = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
        let mut reader = Reader { paths: Vec::new() };
        reader.visit_file(&file);
        let targets = reader
            .paths
            .iter()
            .filter_map(|path| resolve(module, path, modules))
            .filter(|target| !module.starts_with(target))
            .collect();
        imports.insert(module.clone(), targets);
    }
    Ok(imports)
}

/// The module that a path refers to, directly or through an item in it.
fn resolve(from: &Module, path: &[String], modules: &BTreeMap<Module, PathBuf>) -> Option<Module> {
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => Module::new(),
        "self" => from.clone(),
        "super" => from[..from.len().checked_sub(1)?].to_vec(),
        _ => {
            // A path relative to this module, such as `part::Type`.
            rest = path;
            from.clone()
        }
    };
    let relative = !matches!(first.as_str(), "crate" | "self" | "super");
    let start = at.len();
    for name in rest {
        if name == "super" {
            at.pop()?;
            continue;
        }
        at.push(name.clone());
        if !modules.contains_key(&at) {
            at.pop();
            break;
        }
    }
    (!relative || at.len() > start).then_some(at)
}

/// The same imports between the modules directly below the root.
fn top_level(imports: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeMap<Module, BTreeSet<Module>> {
    let top = |module: &Module| module.iter().take(1).cloned().collect::<Module>();
    let mut lifted: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, targets) in imports.iter().filter(|(module, _)| !module.is_empty()) {
        let from = top(module);
        let targets = targets.iter().map(top).filter(|to| !to.is_empty() && *to != from);
        lifted.entry(from.clone()).or_default().extend(targets);
    }
    lifted
}

fn found(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<String>> {
    let names: Vec<&Module> = imports.keys().collect();
    let number = |module: &Module| names.binary_search(&module).ok();
    let mut graph = DiGraphMap::<usize, ()>::new();
    for (module, targets) in imports {
        for target in targets {
            if let (Some(from), Some(to)) = (number(module), number(target)) {
                graph.add_edge(from, to, ());
            }
        }
    }
    tarjan_scc(&graph)
        .into_iter()
        .filter(|part| part.len() > 1)
        .map(|part| part.into_iter().map(|at| names[at].join("::")).collect())
        .collect()
}

/// Collects the paths of one file, without its tests.
struct Reader {
    paths: Vec<Vec<String>>,
}

impl Reader {
    fn tree(&mut self, tree: &UseTree, mut path: Vec<String>) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.tree(&part.tree, path);
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.paths.push(path);
            }
            UseTree::Rename(name) => {
                path.push(name.ident.to_string());
                self.paths.push(path);
            }
            UseTree::Glob(_) => self.paths.push(path),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, path.clone());
                }
            }
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a Item) {
        let attributes = match item {
            Item::Mod(ItemMod { attrs, .. }) | Item::Use(ItemUse { attrs, .. }) => attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !attributes.iter().any(is_test) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.tree(&item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if segments.len() > 1 {
            self.paths.push(segments);
        }
        visit::visit_path(self, path);
    }
}

fn is_test(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string().contains("test"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        let modules = modules(folder.path()).expect("modules");
        found(&top_level(&imports(&modules).expect("imports")))
    }

    #[test]
    fn two_modules_that_import_each_other_are_a_cycle() {
        let lib = ("lib.rs", "mod a; mod b;");
        let b = ("b/mod.rs", "pub fn b() { crate::a::a() }");
        assert_eq!(imports_of(&[lib, ("a.rs", "use crate::b::b;"), b]).len(), 1);
        assert!(imports_of(&[lib, ("a.rs", "pub fn a() {}"), b]).is_empty());
    }

    #[test]
    fn tests_and_parts_of_one_module_do_not_count() {
        let test = "pub fn b() {} #[cfg(test)] mod tests { use crate::d::d; }";
        let files = [
            ("lib.rs", "mod a; mod d;"),
            ("a/mod.rs", "mod b; mod c; use b::b; pub struct A;"),
            ("a/b.rs", test),
            ("a/c.rs", "use super::{A, b::b};"),
            ("d.rs", "use crate::a::A; pub fn d() {}"),
        ];
        assert!(imports_of(&files).is_empty());
    }
}
