//! Putting lists in order. The standard library's sorts are some kilobytes of the Worker for every type and comparison that they
//! are used with; here one of them puts places in order, and the items follow.

use std::cmp::Ordering;

/// Puts items in order; those that compare as equal keep theirs.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut places: Vec<usize> = (0..items.len()).collect();
    arrange(&mut places, &|one, other| compare(&items[one], &items[other]));
    let mut belongs = vec![0; items.len()];
    for (place, from) in places.into_iter().enumerate() {
        belongs[from] = place;
    }
    for place in 0..items.len() {
        while belongs[place] != place {
            let other = belongs[place];
            items.swap(place, other);
            belongs.swap(place, other);
        }
    }
}

/// Puts items in the order of what is told of each; those of which the same is told keep theirs.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Puts items in order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Gathers items one by one into whatever keeps them, a map or a set: collecting them would sort them first.
pub fn gather<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut gathered = C::default();
    gathered.extend(items);
    gathered
}

fn arrange(places: &mut [usize], compare: &dyn Fn(usize, usize) -> Ordering) {
    places.sort_unstable_by(|&one, &other| compare(one, other).then(one.cmp(&other)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_is_the_order_of_the_standard_library(items in proptest::collection::vec((0u8..6, any::<u16>()), 0..60)) {
            let (mut ours, mut theirs) = (items.clone(), items.clone());
            sort_by_key(&mut ours, |(key, _)| std::cmp::Reverse(*key));
            theirs.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
            prop_assert_eq!(&ours, &theirs);
            sort(&mut ours);
            theirs.sort();
            prop_assert_eq!(&ours, &theirs);
            let map: BTreeMap<u8, u16> = gather(items.iter().copied());
            prop_assert_eq!(map, items.into_iter().collect::<BTreeMap<u8, u16>>());
        }
    }
}
