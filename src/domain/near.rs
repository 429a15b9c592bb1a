//! Words that are nearly another one: what a mistyped name may have meant.

/// How many letters have to be added, left out, replaced or exchanged with their neighbour to make one word of the other.
#[must_use]
pub fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let width = other.len() + 1;
    // Three rows of the table are enough: an exchange looks two rows back.
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (vec![0; width], (0..width).collect());
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1; width];
        for (column, found) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != found);
            let mut least = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let is_exchange = row > 0 && column > 0 && *letter == other[column - 1] && one[row - 1] == *found;
            if is_exchange {
                least = least.min(before[column - 1] + 1);
            }
            next[column + 1] = least;
        }
        before = std::mem::replace(&mut last, next);
    }
    last[width - 1]
}

/// The name that a word was probably meant to be: the nearest one, if it is near enough for the word's length.
#[must_use]
pub fn meant<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.trim().to_lowercase();
    let far = |name: &&str| distance(&word, name);
    let nearest = names.into_iter().min_by_key(far)?;
    (far(&nearest) <= word.chars().count().min(9) / 3).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_one_step() {
        for (one, other, steps) in [
            ("", "", 0),
            ("abc", "", 3),
            ("show", "show", 0),
            ("shwo", "show", 1),
            ("linkdin", "linkedin", 1),
            ("pblish", "publish", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(
                (distance(one, other), distance(other, one)),
                (steps, steps),
                "{one} {other}"
            );
        }
    }

    #[test]
    fn what_is_far_from_everything_means_nothing() {
        let names = ["list", "show", "cancel", "x"];
        assert_eq!(meant("lst", names), Some("list"));
        assert_eq!(meant("Cancle ", names), Some("cancel"));
        assert_eq!(meant("X", names), Some("x"));
        for word in ["", "y", "publish", "shop-window"] {
            assert_eq!(meant(word, names), None, "{word}");
        }
    }
}
