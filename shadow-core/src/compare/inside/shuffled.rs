//! Comparison of texts that list the same items in another order: `b=2 a=1`, `red, green, blue`.
//!
//! Another order is one difference, and an item that only one text has is another, named by its label. Bias: a text is
//! such a list only if most items are in both, and several of them at another place.

use super::{ABSENT, Category, Texts, words};
use crate::compare::media;

/// Items of one text.
const MAX_ITEMS: usize = 400;

/// Items that must have moved: one that was inserted, or two that changed places, differ by word.
const MOVED: usize = 3;

/// Characters of a label.
const LABEL: usize = 40;

/// An item, and where it begins.
type Item<'t> = (&'t str, usize);

/// Compares two texts by item; false when they are no lists of the same items.
pub(super) fn compare(texts: &mut Texts<'_, '_>) -> bool {
    let (Some(left), Some(right)) = (items(texts.production), items(texts.shadow)) else {
        return false;
    };
    let in_place = left.iter().zip(&right).filter(|((a, _), (b, _))| a == b).count();
    let longer = left.len().max(right.len());
    let (gone, new) = (alone(&left, &right), alone(&right, &left));
    let common = left.len().saturating_sub(gone.len());
    if common.saturating_mul(4) < longer.saturating_mul(3)
        || common < in_place.saturating_add(MOVED)
        || is_in_order(&left, &right, [&gone, &new])
    {
        return false;
    }
    texts.order();
    texts.items(&gone, new);
    true
}

/// The items between blanks, commas and semicolons; `None` if they are few or too many.
fn items(text: &str) -> Option<Vec<Item<'_>>> {
    let separates = |c: char| c.is_whitespace() || matches!(c, ',' | ';');
    let (mut items, mut at) = (Vec::new(), 0usize);
    for item in text.split_inclusive(separates) {
        let bare = item.trim_end_matches(separates);
        if !bare.is_empty() {
            items.push((bare, at));
        }
        at = at.saturating_add(item.len());
        if items.len() > MAX_ITEMS {
            return None;
        }
    }
    (items.len() > MOVED).then_some(items)
}

/// The items that the other text does not have, or not as often; in order.
fn alone<'t>(items: &[Item<'t>], others: &[Item<'_>]) -> Vec<Item<'t>> {
    let (mut sorted, mut others) = (items.to_vec(), others.to_vec());
    sorted.sort_unstable();
    others.sort_unstable();
    let mut others = others.into_iter().peekable();
    sorted.retain(|(item, _)| {
        while others.next_if(|(other, _)| other < item).is_some() {}
        others.next_if(|(other, _)| other == item).is_none()
    });
    sorted.sort_unstable_by_key(|(_, at)| *at);
    sorted
}

/// Whether the items that are in both texts have the same order.
fn is_in_order(left: &[Item<'_>], right: &[Item<'_>], [gone, new]: [&[Item<'_>]; 2]) -> bool {
    common(left, gone).eq(common(right, new))
}

/// The items that are not among those that only their text has.
fn common<'i>(items: &'i [Item<'i>], alone: &'i [Item<'i>]) -> impl Iterator<Item = &'i str> {
    let mut alone = alone.iter().peekable();
    let common = items
        .iter()
        .filter(move |item| alone.next_if(|next| next.1 == item.1).is_none());
    common.map(|(item, _)| *item)
}

/// The name of an item: `a` of `a=1` and `a:1`.
fn label(item: &str) -> Option<&str> {
    let (label, _) = item.split_once(['=', ':'])?;
    let named = !label.is_empty() && label.len() <= LABEL && !words::is_volatile(label);
    named.then_some(label)
}

impl Texts<'_, '_> {
    /// Another order of the items.
    fn order(&mut self) {
        self.parts = self.parts.saturating_add(1);
        if self.without.leave_out("order") {
            return;
        }
        let (category, place) = match self.category {
            Category::Value => (Category::Order, self.place.to_owned()),
            other => (other, format!("{} order", self.place)),
        };
        let (a, b) = (words::around(self.production, 0), words::around(self.shadow, 0));
        self.findings.push(category, place, a, b);
    }

    /// Items that only one text has: those of one label belong together, the others by their order.
    fn items(&mut self, gone: &[Item<'_>], mut new: Vec<Item<'_>>) {
        for (item, at) in gone {
            let label = label(item);
            let other = new.iter().position(|(other, _)| self::label(other) == label);
            let other = other.map(|position| new.remove(position).1);
            self.item(label, Some(*at), other);
        }
        for (item, at) in new {
            self.item(label(item), None, Some(at));
        }
    }

    /// An item by where it begins in both texts. The text around it is shown, as with words.
    fn item(&mut self, label: Option<&str>, production: Option<usize>, shadow: Option<usize>) {
        self.parts = self.parts.saturating_add(1);
        let part = label.map_or_else(
            || "item".to_owned(),
            |label| format!("item {}", media::shown_name(label.as_bytes())),
        );
        if self.without.leave_out(&part) {
            return;
        }
        let category = match (production, shadow) {
            (Some(_), None) if self.category == Category::Value => Category::Missing,
            (None, Some(_)) if self.category == Category::Value => Category::Added,
            _ => self.category,
        };
        let shown = |text: &str, at: Option<usize>| {
            at.map_or_else(|| ABSENT.to_owned(), |at| words::around(text, at))
        };
        let (a, b) = (shown(self.production, production), shown(self.shadow, shadow));
        self.findings
            .push(category, format!("{} {part}", self.place), a, b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::findings::{Findings, stated};

    fn differ(a: &str, b: &str) -> (bool, Vec<String>) {
        let mut findings = Findings::new(20);
        let done = compare(&mut Texts::new("$.x", [a, b], Category::Value, &mut findings));
        (done, stated(findings.finish()))
    }

    #[test]
    fn another_order_and_a_wrong_item_are_two_differences() {
        let (a, b) = ("a=1 b=2 c=3 d=4 e=5", "d=4 b=2 e=5 a=1 c=3");
        assert_eq!(differ(a, b), (true, vec![format!("order $.x: {a} | {b}")]));
        let wrong = "d=4 b=2 e=5 a=1 c=9";
        assert_eq!(
            differ(a, wrong),
            (
                true,
                vec![
                    format!("order $.x: {a} | {wrong}"),
                    format!("value $.x item c: {a} | {wrong}")
                ]
            )
        );
        let (a, b) = ("red, green, blue, grey, pink", "pink, grey, red, blue");
        assert_eq!(
            differ(a, b),
            (
                true,
                vec![
                    format!("order $.x: {a} | {b}"),
                    format!("missing $.x item: {a} | (absent)")
                ]
            )
        );
    }

    #[test]
    fn texts_in_order_are_no_shuffled_lists() {
        for (a, b) in [
            ("one two three four five", "one two three five"),
            ("one two three four five", "one two three four 5"),
            ("one two three four five", "one two four three five"),
            ("zero one two three four", "one two three four"),
            ("a b c", "c a b"),
            ("Welcome to the new shop", "Access denied to this page"),
        ] {
            assert_eq!(differ(a, b), (false, Vec::new()), "{a} | {b}");
        }
    }
}
