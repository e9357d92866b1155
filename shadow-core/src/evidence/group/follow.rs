//! Rare differences that follow more frequent ones about the same content.

use core::hash::Hash;

use hashbrown::HashMap;

use crate::{
    compare::Category,
    evidence::{noise::Stood, report::Standing},
};

use super::{Atom, Groups, fingerprint, stand::Judged};

impl Groups {
    /// Excuses strings of a kind that is noise at their place and more frequent than they are.
    pub(super) fn by_place(&self, all: &mut [Judged]) {
        let most = self.most(all, |atom| atom.shift.is_free_text().then_some(atom.group));
        for (atom, judged) in self.atoms.iter().zip(all) {
            let rarer = [Some(atom.group), self.text_of(atom)]
                .into_iter()
                .flatten()
                .filter_map(|group| most.get(&group))
                .any(|most| judged.known.observed.0 <= *most);
            if rarer && atom.shift.is_free_text() && judged.may_be_noise() {
                judged.stood = Stood::of(Standing::Noise, "place");
            }
        }
    }

    /// How often the most frequent noise of each place occurred.
    fn most<K: Eq + Hash>(&self, all: &[Judged], place: impl Fn(&Atom) -> Option<K>) -> HashMap<K, u64> {
        let mut most = HashMap::new();
        let noise = self.atoms.iter().zip(all);
        for (atom, judged) in noise.filter(|(_, judged)| judged.stood.standing == Standing::Noise) {
            if let Some(place) = place(atom) {
                let known: &mut u64 = most.entry(place).or_default();
                *known = (*known).max(judged.known.observed.0);
            }
        }
        most
    }

    /// The group of the whole text that an atom is a word of: two random texts may happen to have the same parts.
    fn text_of(&self, atom: &Atom) -> Option<usize> {
        let group = self.all.get(atom.group)?;
        let (text, _) = group.place.rsplit_once(" word ")?;
        let text = fingerprint(&group.route, &group.category, text);
        self.by_fingerprint.get(&text).copied()
    }

    /// Excuses another order of a list where its elements are noise, and more frequently so: elements that are chosen
    /// at random are sometimes the same ones in another order.
    pub(super) fn by_content(&self, all: &mut [Judged]) {
        let order = Category::Order.as_str();
        let most = self.most(all, |atom| {
            let group = self.all.get(atom.group).filter(|group| group.category != order)?;
            Some((group.route_id, list_of(&group.place)?))
        });
        for (atom, judged) in self.atoms.iter().zip(all) {
            let group = self.all.get(atom.group).filter(|group| group.category == order);
            let elements = group.and_then(|group| most.get(&(group.route_id, group.place.as_str())));
            if elements.is_some_and(|most| judged.known.observed.0 <= *most) && judged.may_be_noise() {
                judged.stood = Stood::of(Standing::Noise, "content");
            }
        }
    }
}

/// The place of the list that a place is an element of.
fn list_of(place: &str) -> Option<&str> {
    let (list, _) = place.strip_suffix(']')?.rsplit_once('[')?;
    Some(list)
}
