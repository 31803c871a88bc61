//! Code without what only tests have, wherever it stands.

use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Block, ExprMatch, FieldsNamed, ImplItem, Item, ItemEnum, ItemImpl, ItemMod,
    ItemTrait,
};
use syn::{Expr, Meta, Stmt, TraitItem};

/// The items that are not for tests only, and without such parts of them.
pub fn items(items: Vec<Item>) -> Vec<Item> {
    let mut kept: Vec<Item> = items
        .into_iter()
        .filter(|item| !is_test(attributes(item)))
        .collect();
    for item in &mut kept {
        Strip.visit_item_mut(item);
    }
    kept
}

/// Whether something is there for tests only.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        let needs = || attribute.parse_args().is_ok_and(|meta| needs_test(&meta));
        path.is_ident("test") || path.is_ident("cfg") && needs()
    })
}

fn needs_test(meta: &Meta) -> bool {
    match meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => {
            let parser = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
            let parts = list.parse_args_with(parser);
            parts.is_ok_and(|parts| parts.iter().any(needs_test))
        }
        _ => false,
    }
}

struct Strip;

impl VisitMut for Strip {
    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| !is_test(attributes(item)));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, one: &mut ItemImpl) {
        one.items.retain(|item| {
            !is_test(match item {
                ImplItem::Const(item) => &item.attrs,
                ImplItem::Fn(item) => &item.attrs,
                ImplItem::Type(item) => &item.attrs,
                ImplItem::Macro(item) => &item.attrs,
                _ => &[],
            })
        });
        visit_mut::visit_item_impl_mut(self, one);
    }

    fn visit_item_trait_mut(&mut self, one: &mut ItemTrait) {
        one.items.retain(|item| {
            !is_test(match item {
                TraitItem::Const(item) => &item.attrs,
                TraitItem::Fn(item) => &item.attrs,
                TraitItem::Type(item) => &item.attrs,
                TraitItem::Macro(item) => &item.attrs,
                _ => &[],
            })
        });
        visit_mut::visit_item_trait_mut(self, one);
    }

    fn visit_item_enum_mut(&mut self, one: &mut ItemEnum) {
        let variants = std::mem::take(&mut one.variants);
        one.variants = variants
            .into_iter()
            .filter(|variant| !is_test(&variant.attrs))
            .collect();
        visit_mut::visit_item_enum_mut(self, one);
    }

    fn visit_fields_named_mut(&mut self, fields: &mut FieldsNamed) {
        let named = std::mem::take(&mut fields.named);
        fields.named = named
            .into_iter()
            .filter(|field| !is_test(&field.attrs))
            .collect();
        visit_mut::visit_fields_named_mut(self, fields);
    }

    fn visit_expr_match_mut(&mut self, one: &mut ExprMatch) {
        one.arms.retain(|arm| !is_test(&arm.attrs));
        visit_mut::visit_expr_match_mut(self, one);
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        block.stmts.retain(|statement| {
            !is_test(match statement {
                Stmt::Item(item) => attributes(item),
                Stmt::Local(local) => &local.attrs,
                Stmt::Macro(one) => &one.attrs,
                Stmt::Expr(Expr::Block(one), _) => &one.attrs,
                // An attribute that is not seen leaves more to be judged, not less.
                Stmt::Expr(..) => &[],
            })
        });
        visit_mut::visit_block_mut(self, block);
    }
}

/// The attributes of an item.
fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
