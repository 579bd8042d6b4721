//! `docs/api/LIBRARY.txt`: what a library offers, so that whoever changes that sees it in the difference.
//!
//! It is read from the sources, not from the compiler, whose form of it changes with its version: each public item
//! without its body and its private fields, under the module in which it stands. Items of private modules are listed
//! if a `pub use` names them. What a macro makes is shown as the call of the macro.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use syn::{
    Attribute, Fields, ImplItem, Item, ItemImpl, ItemStruct, Meta, TraitItem, Type, UseTree, Visibility,
    parse_quote,
};

use crate::Generated;

/// A module with its items.
struct Module {
    path: String,
    /// That it can be named from outside.
    public: bool,
    items: Vec<Item>,
}

/// The public items of a library.
///
/// # Errors
/// If a file cannot be read, or is no Rust.
pub fn generate(root: &Path, library: &str) -> Result<Generated, String> {
    let mut modules = Vec::new();
    let sources = root.join(library).join("src");
    read(&sources.join("lib.rs"), &sources, &library.replace('-', "_"), true, &mut modules)?;
    let mut used = BTreeSet::new();
    for item in modules.iter().filter(|module| module.public).flat_map(|module| &module.items) {
        if let Item::Use(item) = item
            && is_public(&item.vis)
        {
            names(&item.tree, &mut used);
        }
    }
    let offered: BTreeSet<String> = modules
        .iter()
        .flat_map(|module| module.items.iter().map(move |item| (module.public, item)))
        .filter_map(|(public, item)| named(item).filter(|name| public || used.contains(name)))
        .collect();
    let mut text = format!("// What {library} offers. Written by `cargo xtask gen` out of its sources.\n");
    for Module { path, public, items } in modules {
        let is_offered = |item: &Item| match named(item) {
            Some(name) => public || used.contains(&name),
            None => public && type_name(item).is_none(),
        };
        // A type that another module offers may have a namesake here.
        let own: BTreeSet<String> =
            items.iter().filter(|item| !is_offered(item)).filter_map(type_name).collect();
        let of: BTreeSet<String> = offered.difference(&own).cloned().collect();
        let shown: Vec<Item> = items
            .into_iter()
            .filter(|item| matches!(item, Item::Impl(_)) || is_offered(item))
            .filter_map(|item| declaration(item, &of))
            .collect();
        if !shown.is_empty() {
            let written =
                prettyplease::unparse(&syn::File { shebang: None, attrs: Vec::new(), items: shown });
            text.push_str(&format!("\n// {path}\n{written}"));
        }
    }
    Ok(Generated { path: format!("docs/api/{library}.txt"), text })
}

/// Reads a module and those below it. `folder` is where the files of those are.
fn read(
    file: &Path,
    folder: &Path,
    path: &str,
    public: bool,
    modules: &mut Vec<Module>,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    let items = syn::parse_file(&text).map_err(|error| failed(&error))?.items;
    let below: Vec<(String, bool)> = items
        .iter()
        .filter_map(|item| match item {
            Item::Mod(module) if module.content.is_none() && !is_test(&module.attrs) => {
                Some((module.ident.to_string(), public && is_public(&module.vis)))
            }
            _ => None,
        })
        .collect();
    modules.push(Module { path: path.to_owned(), public, items });
    for (name, public) in below {
        let inner = folder.join(&name);
        let files: [PathBuf; 2] = [folder.join(format!("{name}.rs")), inner.join("mod.rs")];
        let file =
            files.iter().find(|file| file.exists()).ok_or_else(|| failed(&format!("no mod {name}")))?;
        read(file, &inner, &format!("{path}::{name}"), public, modules)?;
    }
    Ok(())
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::Path(_) | Meta::NameValue(_) => false,
    })
}

/// The names under which a `pub use` takes things from elsewhere, as they are called there.
fn names(tree: &UseTree, used: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(path) => names(&path.tree, used),
        UseTree::Name(name) => drop(used.insert(name.ident.to_string())),
        UseTree::Rename(name) => drop(used.insert(name.ident.to_string())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| names(tree, used)),
        UseTree::Glob(_) => {}
    }
}

/// The name of a public item that has one. Macros that are called make public items.
fn named(item: &Item) -> Option<String> {
    let (visibility, name) = match item {
        Item::Const(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Static(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Macro(item) if item.ident.is_none() => return made(item),
        _ => return None,
    };
    is_public(visibility).then(|| name.to_string())
}

/// The name of a type, public or not.
fn type_name(item: &Item) -> Option<String> {
    match item {
        Item::Enum(item) => Some(item.ident.to_string()),
        Item::Struct(item) => Some(item.ident.to_string()),
        _ => None,
    }
}

/// The name that a called macro gives to what it makes: of `bitflags!`, or by the name of the macro.
fn made(item: &syn::ItemMacro) -> Option<String> {
    let words: Vec<String> = item.mac.tokens.clone().into_iter().map(|token| token.to_string()).collect();
    let after = |word: &str| words.iter().position(|other| other == word).and_then(|at| words.get(at + 1));
    let made = match item.mac.path.segments.last()?.ident.to_string().as_str() {
        "sysctls" => "Sysctl".to_owned(),
        "kinds" => "LinkKind".to_owned(),
        "reasons" => "Reason".to_owned(),
        "missing" => "Missing".to_owned(),
        "catalogue" => "FindingId".to_owned(),
        "bitflags" => after("struct")?.clone(),
        "numbers" => words.iter().find(|word| word.starts_with(char::is_uppercase))?.clone(),
        _ => return None,
    };
    Some(made)
}

/// The item without what is nobody's business, if it is public.
fn declaration(item: Item, offered: &BTreeSet<String>) -> Option<Item> {
    match item {
        Item::Const(mut item) if is_public(&item.vis) => {
            keep(&mut item.attrs);
            Some(Item::Const(item))
        }
        Item::Enum(mut item) if is_public(&item.vis) => {
            keep(&mut item.attrs);
            for variant in &mut item.variants {
                keep(&mut variant.attrs);
                variant.fields.iter_mut().for_each(|field| keep(&mut field.attrs));
            }
            Some(Item::Enum(item))
        }
        Item::Fn(mut item) if is_public(&item.vis) => {
            keep(&mut item.attrs);
            *item.block = parse_quote!({});
            Some(Item::Fn(item))
        }
        Item::Struct(item) if is_public(&item.vis) => Some(Item::Struct(public_fields(item))),
        Item::Trait(mut item) if is_public(&item.vis) => {
            keep(&mut item.attrs);
            for inner in &mut item.items {
                if let TraitItem::Fn(function) = inner {
                    keep(&mut function.attrs);
                    if function.default.is_some() {
                        function.default = Some(parse_quote!({}));
                    }
                }
            }
            Some(Item::Trait(item))
        }
        Item::Type(mut item) if is_public(&item.vis) => {
            keep(&mut item.attrs);
            Some(Item::Type(item))
        }
        Item::Use(mut item) if is_public(&item.vis) => {
            keep(&mut item.attrs);
            Some(Item::Use(item))
        }
        Item::Macro(mut item) if made(&item).is_some() => {
            keep(&mut item.attrs);
            Some(Item::Macro(item))
        }
        Item::Impl(item) if !is_test(&item.attrs) => offers(item, offered).map(Item::Impl),
        _ => None,
    }
}

fn public_fields(mut item: ItemStruct) -> ItemStruct {
    keep(&mut item.attrs);
    let all = item.fields.len();
    match &mut item.fields {
        Fields::Named(fields) => {
            fields.named =
                std::mem::take(&mut fields.named).into_iter().filter(|field| is_public(&field.vis)).collect();
        }
        // Their numbers count.
        Fields::Unnamed(fields) if !fields.unnamed.iter().all(|field| is_public(&field.vis)) => {
            fields.unnamed = syn::punctuated::Punctuated::new();
        }
        Fields::Unnamed(_) | Fields::Unit => {}
    }
    if item.fields.len() < all {
        item.attrs.push(parse_quote!(#[doc = " and private fields"]));
    }
    item.fields.iter_mut().for_each(|field| keep(&mut field.attrs));
    item
}

/// An `impl` of what is offered: of a trait its head, else its public functions and constants.
fn offers(mut item: ItemImpl, offered: &BTreeSet<String>) -> Option<ItemImpl> {
    let of = match &*item.self_ty {
        Type::Path(path) => path.path.segments.last()?.ident.to_string(),
        Type::Reference(reference) => match &*reference.elem {
            Type::Path(path) => path.path.segments.last()?.ident.to_string(),
            _ => return None,
        },
        _ => return None,
    };
    if !offered.contains(&of) {
        return None;
    }
    keep(&mut item.attrs);
    let of_trait = item.trait_.is_some();
    item.items = std::mem::take(&mut item.items)
        .into_iter()
        .filter_map(|inner| match inner {
            ImplItem::Fn(mut function) if !of_trait && is_public(&function.vis) => {
                keep(&mut function.attrs);
                function.block = parse_quote!({});
                Some(ImplItem::Fn(function))
            }
            ImplItem::Const(mut constant) if !of_trait && is_public(&constant.vis) => {
                keep(&mut constant.attrs);
                Some(ImplItem::Const(constant))
            }
            ImplItem::Type(associated) => Some(ImplItem::Type(associated)),
            ImplItem::Macro(setters) if setters.mac.path.is_ident("setters") => {
                Some(ImplItem::Macro(setters))
            }
            _ => None,
        })
        .collect();
    (of_trait || !item.items.is_empty()).then_some(item)
}

/// Leaves the attributes that those outside depend on.
fn keep(attributes: &mut Vec<Attribute>) {
    attributes.retain(|attribute| {
        ["cfg", "derive", "non_exhaustive", "repr", "deprecated"]
            .iter()
            .any(|kept| attribute.path().is_ident(kept))
    });
}
