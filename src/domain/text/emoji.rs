//! Emoji sequences: each counts 2, however many code points it has.
//!
//! Two readings, and the longer one holds. The first is that of twitter-text 3.1.0, whose list ends with Emoji 11; it
//! holds for everything up to Emoji 12.0, so that both count alike. The second knows the sequences that came later: by
//! a code point that is newer, or by one of the combinations of older ones (emoji-zwj-sequences, Emoji 12.1 to 17).
//! Tag sequences (UTS 51, ED-14a) count as one whatever region they name.

use super::tables::contains;

const JOINER: u32 = 0x200d;
const PRESENTATION: u32 = 0xfe0f;
const TEXT_PRESENTATION: u32 = 0xfe0e;
const KEYCAP: u32 = 0x20e3;
const TAG_END: u32 = 0xe007f;
const FEMALE: u32 = 0x2640;
const MALE: u32 = 0x2642;
const MAN: u32 = 0x1f468;
const WOMAN: u32 = 0x1f469;
const PERSON: u32 = 0x1f9d1;
const CHILD: u32 = 0x1f9d2;
const HEART: u32 = 0x2764;
const KISS: u32 = 0x1f48b;
const HANDSHAKE: u32 = 0x1f91d;
const BUNNY: u32 = 0x1f430;
const ARROW: u32 = 0x27a1;
const FLAG_A: u32 = 0x1f1e6;

/// People who come in two genders, with or without a skin tone.
const GENDERED: &[u32] = &[
    0x1f3c3, 0x1f3c4, 0x1f3ca, 0x1f3ca, 0x1f46e, 0x1f46e, 0x1f471, 0x1f471, 0x1f473, 0x1f473, 0x1f477, 0x1f477,
    0x1f481, 0x1f482, 0x1f486, 0x1f487, 0x1f645, 0x1f647, 0x1f64b, 0x1f64b, 0x1f64d, 0x1f64e, 0x1f6a3, 0x1f6a3,
    0x1f6b4, 0x1f6b6, 0x1f926, 0x1f926, 0x1f935, 0x1f935, 0x1f937, 0x1f939, 0x1f93d, 0x1f93e, 0x1f9b8, 0x1f9b9,
    0x1f9d6, 0x1f9dd,
];

/// What takes U+FE0F.
const PRESENTED: &[u32] = &[
    0x203c, 0x203c, 0x2049, 0x2049, 0x2139, 0x2139, 0x2194, 0x2199, 0x21a9, 0x21aa, 0x231a, 0x231b, 0x2328, 0x2328,
    0x23cf, 0x23cf, 0x23ed, 0x23ef, 0x23f1, 0x23f2, 0x23f8, 0x23fa, 0x24c2, 0x24c2, 0x25aa, 0x25ab, 0x25b6, 0x25b6,
    0x25c0, 0x25c0, 0x25fb, 0x25fe, 0x2600, 0x2604, 0x260e, 0x260e, 0x2611, 0x2611, 0x2614, 0x2615, 0x2618, 0x2618,
    0x2620, 0x2620, 0x2622, 0x2623, 0x2626, 0x2626, 0x262a, 0x262a, 0x262e, 0x262f, 0x2638, 0x263a, 0x2640, 0x2640,
    0x2642, 0x2642, 0x2648, 0x2653, 0x2660, 0x2660, 0x2663, 0x2663, 0x2665, 0x2666, 0x2668, 0x2668, 0x267b, 0x267b,
    0x267f, 0x267f, 0x2692, 0x2697, 0x2699, 0x2699, 0x269b, 0x269c, 0x26a0, 0x26a1, 0x26aa, 0x26ab, 0x26b0, 0x26b1,
    0x26bd, 0x26be, 0x26c4, 0x26c5, 0x26c8, 0x26c8, 0x26cf, 0x26cf, 0x26d1, 0x26d1, 0x26d3, 0x26d4, 0x26e9, 0x26ea,
    0x26f0, 0x26f5, 0x26f8, 0x26f8, 0x26fa, 0x26fa, 0x26fd, 0x26fd, 0x2702, 0x2702, 0x2708, 0x2709, 0x270f, 0x270f,
    0x2712, 0x2712, 0x2714, 0x2714, 0x2716, 0x2716, 0x271d, 0x271d, 0x2721, 0x2721, 0x2733, 0x2734, 0x2744, 0x2744,
    0x2747, 0x2747, 0x2757, 0x2757, 0x2763, 0x2764, 0x27a1, 0x27a1, 0x2934, 0x2935, 0x2b05, 0x2b07, 0x2b1b, 0x2b1c,
    0x2b50, 0x2b50, 0x2b55, 0x2b55, 0x3030, 0x3030, 0x303d, 0x303d, 0x3297, 0x3297, 0x3299, 0x3299, 0x1f004, 0x1f004,
    0x1f170, 0x1f171, 0x1f17e, 0x1f17f, 0x1f202, 0x1f202, 0x1f21a, 0x1f21a, 0x1f22f, 0x1f22f, 0x1f237, 0x1f237,
    0x1f321, 0x1f321, 0x1f324, 0x1f32c, 0x1f336, 0x1f336, 0x1f37d, 0x1f37d, 0x1f396, 0x1f397, 0x1f399, 0x1f39b,
    0x1f39e, 0x1f39f, 0x1f3cd, 0x1f3ce, 0x1f3d4, 0x1f3df, 0x1f3f3, 0x1f3f3, 0x1f3f5, 0x1f3f5, 0x1f3f7, 0x1f3f7,
    0x1f43f, 0x1f43f, 0x1f441, 0x1f441, 0x1f4fd, 0x1f4fd, 0x1f549, 0x1f54a, 0x1f56f, 0x1f570, 0x1f573, 0x1f573,
    0x1f576, 0x1f579, 0x1f587, 0x1f587, 0x1f58a, 0x1f58d, 0x1f5a5, 0x1f5a5, 0x1f5a8, 0x1f5a8, 0x1f5b1, 0x1f5b2,
    0x1f5bc, 0x1f5bc, 0x1f5c2, 0x1f5c4, 0x1f5d1, 0x1f5d3, 0x1f5dc, 0x1f5de, 0x1f5e1, 0x1f5e1, 0x1f5e3, 0x1f5e3,
    0x1f5e8, 0x1f5e8, 0x1f5ef, 0x1f5ef, 0x1f5f3, 0x1f5f3, 0x1f5fa, 0x1f5fa, 0x1f6cb, 0x1f6cb, 0x1f6cd, 0x1f6cf,
    0x1f6e0, 0x1f6e5, 0x1f6e9, 0x1f6e9, 0x1f6f0, 0x1f6f0, 0x1f6f3, 0x1f6f3,
];

/// What takes U+FE0F and a skin tone.
const TONED_PRESENTED: &[u32] = &[
    0x261d, 0x261d, 0x26f7, 0x26f7, 0x26f9, 0x26f9, 0x270c, 0x270d, 0x1f3cb, 0x1f3cc, 0x1f574, 0x1f575, 0x1f590,
    0x1f590,
];

/// What takes a skin tone.
const TONED: &[u32] = &[
    0x270a, 0x270b, 0x1f385, 0x1f385, 0x1f3c2, 0x1f3c4, 0x1f3c7, 0x1f3c7, 0x1f3ca, 0x1f3ca, 0x1f442, 0x1f443, 0x1f446,
    0x1f450, 0x1f466, 0x1f469, 0x1f46e, 0x1f46e, 0x1f470, 0x1f478, 0x1f47c, 0x1f47c, 0x1f481, 0x1f483, 0x1f485,
    0x1f487, 0x1f4aa, 0x1f4aa, 0x1f57a, 0x1f57a, 0x1f595, 0x1f596, 0x1f645, 0x1f647, 0x1f64b, 0x1f64f, 0x1f6a3,
    0x1f6a3, 0x1f6b4, 0x1f6b6, 0x1f6c0, 0x1f6c0, 0x1f6cc, 0x1f6cc, 0x1f918, 0x1f91c, 0x1f91e, 0x1f91f, 0x1f926,
    0x1f926, 0x1f930, 0x1f939, 0x1f93d, 0x1f93e, 0x1f9b5, 0x1f9b6, 0x1f9b8, 0x1f9b9, 0x1f9d1, 0x1f9dd,
];

/// Code points that became emoji after Emoji 12.0, and those kept free for later ones.
const NEWER: &[u32] = &[
    0x26a7, 0x26a7, 0x1f6d6, 0x1f6d8, 0x1f6dc, 0x1f6df, 0x1f6fb, 0x1f6fc, 0x1f7f0, 0x1f7f0, 0x1f90c, 0x1f90c, 0x1f972,
    0x1f972, 0x1f977, 0x1f979, 0x1f9a3, 0x1f9a4, 0x1f9ab, 0x1f9ad, 0x1f9cb, 0x1f9cc, 0x1fa74, 0x1fa77, 0x1fa7b,
    0x1fa7f, 0x1fa83, 0x1fa8f, 0x1fa96, 0x1faff,
];

/// Flags by their first letter: the second letters.
const FLAGS: [&str; 26] = [
    "CDEFGILMOQRSTUWXZ",
    "ABDEFGHIJLMNOQRSTVWYZ",
    "ACDFGHIKLMNOPRUVWXYZ",
    "EGJKMOZ",
    "ACEGHRSTU",
    "IJKMOR",
    "ABDEFGHILMNPQRSTUWY",
    "KMNRTU",
    "CDELMNOQRST",
    "EMOP",
    "EGHIMNPRWYZ",
    "ABCIKRSTUVY",
    "ACDEFGHKLMNOPQRSTUVWXYZ",
    "ACEFGILOPRUZ",
    "M",
    "AEFGHKLMNRSTWY",
    "A",
    "EOSUW",
    "ABCDEGHIJKLMNORSTVXYZ",
    "ACDFGHJKLMNORTVWZ",
    "AGMNSYZ",
    "ACEGINU",
    "FS",
    "K",
    "ET",
    "AMW",
];

fn is_tone(code: u32) -> bool {
    (0x1f3fb..=0x1f3ff).contains(&code)
}

fn is_regional(code: u32) -> bool {
    (FLAG_A..FLAG_A + 26).contains(&code)
}

fn is_tag(code: u32) -> bool {
    (0xe0020..=0xe007e).contains(&code)
}

/// How many of `codes`, from the first, make one emoji sequence; 0 when they make none of at least two.
pub fn sequence_length(codes: &[u32]) -> usize {
    let listed = listed(codes);
    // What covers everything cannot be outdone.
    let length = if listed == codes.len() {
        listed
    } else {
        listed.max(newer(codes))
    };
    if length > 1 { length } else { 0 }
}

/// The reading of twitter-text 3.1.0.
fn listed(codes: &[u32]) -> usize {
    profession(codes)
        .or_else(|| toned_gender(codes))
        .or_else(|| gender(codes))
        .or_else(|| fixed(codes))
        .or_else(|| family(codes))
        .or_else(|| keycap(codes))
        .or_else(|| presented(codes))
        .or_else(|| flag(codes))
        .unwrap_or(0)
}

/// The rest after `head` and an optional skin tone.
fn after_tone(codes: &[u32]) -> usize {
    if codes.get(1).copied().is_some_and(is_tone) {
        2
    } else {
        1
    }
}

fn profession(codes: &[u32]) -> Option<usize> {
    if !matches!(codes.first()?, &(MAN | WOMAN)) {
        return None;
    }
    let at = after_tone(codes);
    match codes.get(at..)? {
        [JOINER, 0x2695 | 0x2696 | 0x2708, PRESENTATION, ..] => Some(at + 3),
        [
            JOINER,
            0x1f33e
            | 0x1f373
            | 0x1f393
            | 0x1f3a4
            | 0x1f3a8
            | 0x1f3eb
            | 0x1f3ed
            | 0x1f4bb
            | 0x1f4bc
            | 0x1f527
            | 0x1f52c
            | 0x1f680
            | 0x1f692
            | 0x1f9b0..=0x1f9b3,
            ..,
        ] => Some(at + 2),
        _ => None,
    }
}

fn toned_gender(codes: &[u32]) -> Option<usize> {
    match codes {
        [
            0x1f3cb | 0x1f3cc | 0x1f574 | 0x1f575 | 0x26f9,
            mark,
            JOINER,
            FEMALE | MALE,
            PRESENTATION,
            ..,
        ] if *mark == PRESENTATION || is_tone(*mark) => Some(5),
        _ => None,
    }
}

fn gender(codes: &[u32]) -> Option<usize> {
    if !contains(GENDERED, *codes.first()?) {
        return None;
    }
    let at = after_tone(codes);
    matches!(codes.get(at..)?, [JOINER, FEMALE | MALE, PRESENTATION, ..]).then_some(at + 3)
}

fn fixed(codes: &[u32]) -> Option<usize> {
    match codes {
        [0x1f3f3, PRESENTATION, JOINER, 0x1f308, ..] => Some(4),
        [0x1f3f4, JOINER, 0x2620, PRESENTATION, ..] => Some(4),
        [0x1f441, JOINER, 0x1f5e8, ..] => Some(3),
        [
            0x1f46f | 0x1f93c | 0x1f9de | 0x1f9df,
            JOINER,
            FEMALE | MALE,
            PRESENTATION,
            ..,
        ] => Some(4),
        _ => None,
    }
}

/// Couples, and families of one or two parents and one or two children, the girl first.
fn family(codes: &[u32]) -> Option<usize> {
    match codes {
        [MAN, JOINER, HEART, PRESENTATION, JOINER, KISS, JOINER, MAN, ..] => return Some(8),
        [
            WOMAN,
            JOINER,
            HEART,
            PRESENTATION,
            JOINER,
            KISS,
            JOINER,
            MAN | WOMAN,
            ..,
        ] => return Some(8),
        [MAN, JOINER, HEART, PRESENTATION, JOINER, MAN, ..] => return Some(6),
        [WOMAN, JOINER, HEART, PRESENTATION, JOINER, MAN | WOMAN, ..] => return Some(6),
        _ => {}
    }
    let parents = match codes {
        [MAN, JOINER, MAN | WOMAN, JOINER, 0x1f466 | 0x1f467, ..] => 3,
        [WOMAN, JOINER, WOMAN, JOINER, 0x1f466 | 0x1f467, ..] => 3,
        [MAN | WOMAN, JOINER, 0x1f466 | 0x1f467, ..] => 1,
        _ => return None,
    };
    match &codes[parents + 2..] {
        [JOINER, 0x1f466, ..] => Some(parents + 4),
        [JOINER, 0x1f467, ..] if codes[parents + 1] == 0x1f467 => Some(parents + 4),
        _ => Some(parents + 2),
    }
}

fn keycap(codes: &[u32]) -> Option<usize> {
    match codes {
        [0x23 | 0x2a | 0x30..=0x39, PRESENTATION, KEYCAP, ..] => Some(3),
        [0x23 | 0x2a | 0x30..=0x39, KEYCAP, ..] => Some(2),
        [0xa9 | 0xae | 0x2122 | 0x265f, PRESENTATION, ..] => Some(2),
        _ => None,
    }
}

fn presented(codes: &[u32]) -> Option<usize> {
    let first = *codes.first()?;
    let next = codes.get(1).copied();
    if contains(PRESENTED, first) {
        return (next == Some(PRESENTATION)).then_some(2);
    }
    let toned_presented = contains(TONED_PRESENTED, first);
    if toned_presented && next == Some(TEXT_PRESENTATION) || !toned_presented && !contains(TONED, first) {
        return None;
    }
    let marks = usize::from(toned_presented && next == Some(PRESENTATION));
    let tone = usize::from(codes.get(1 + marks).copied().is_some_and(is_tone));
    Some(1 + marks + tone)
}

fn flag(codes: &[u32]) -> Option<usize> {
    match *codes {
        [first, second, ..] if is_regional(first) && is_regional(second) => {
            let letter = char::from(b'A' + (second - FLAG_A) as u8);
            FLAGS[(first - FLAG_A) as usize].contains(letter).then_some(2)
        }
        _ => None,
    }
}

/// One element of a joined sequence: where it ends.
fn element_end(codes: &[u32], at: usize) -> usize {
    let mut end = at + 1;
    while codes
        .get(end)
        .is_some_and(|&code| code == PRESENTATION || is_tone(code))
    {
        end += 1;
    }
    let tags = codes[end..].iter().take_while(|&&code| is_tag(code)).count();
    if tags > 0 && codes.get(end + tags) == Some(&TAG_END) {
        end + tags + 1
    } else {
        end
    }
}

/// The sequences that came after Emoji 12.0: the longest joined one that is known.
fn newer(codes: &[u32]) -> usize {
    // Sark, Emoji 16.
    if matches!(codes, [0x1f1e8, 0x1f1f6, ..]) {
        return 2;
    }
    let Some(&first) = codes.first() else { return 0 };
    if !is_pictograph(first) {
        return 0;
    }
    let mut end = element_end(codes, 0);
    let mut best = if is_newer(&codes[..end]) { end } else { 0 };
    while codes.get(end) == Some(&JOINER) && codes.get(end + 1).copied().is_some_and(is_pictograph) {
        end = element_end(codes, end + 1);
        if is_newer(&codes[..end]) {
            best = end;
        }
    }
    best
}

fn is_pictograph(code: u32) -> bool {
    (0x2190..0x3300).contains(&code) || (0x1f000..0x1fb00).contains(&code) && !is_regional(code) && !is_tone(code)
}

fn is_newer(sequence: &[u32]) -> bool {
    if sequence.iter().any(|&code| contains(NEWER, code) || code == TAG_END) {
        return true;
    }
    // The longest combination has five elements; without joiners, U+FE0F and tones it fits here.
    let (mut bare, mut tones) = ([0; 8], [0; 8]);
    let (mut count, mut tone_count) = (0, 0);
    for &code in sequence {
        if is_tone(code) && tone_count < tones.len() {
            tones[tone_count] = code;
            tone_count += 1;
        } else if code != JOINER && code != PRESENTATION {
            if count == bare.len() {
                return false;
            }
            bare[count] = code;
            count += 1;
        }
    }
    match &bare[..count] {
        // Direction (15.1), professions of a person (12.1), feeding (13.0), and single combinations.
        [MAN | WOMAN | PERSON, 0x1f9af | 0x1f9bc | 0x1f9bd, ARROW] => true,
        [0x1f6b6 | 0x1f9ce | 0x1f3c3, ARROW] | [0x1f6b6 | 0x1f9ce | 0x1f3c3, FEMALE | MALE, ARROW] => true,
        [
            PERSON,
            0x1f33e
            | 0x1f373
            | 0x1f384
            | 0x1f393
            | 0x1f3a4
            | 0x1f3a8
            | 0x1f3eb
            | 0x1f3ed
            | 0x1f4bb
            | 0x1f4bc
            | 0x1f527
            | 0x1f52c
            | 0x1f680
            | 0x1f692
            | 0x1f9b0..=0x1f9b3
            | 0x1f9af
            | 0x1f9bc
            | 0x1f9bd
            | 0x1fa70
            | 0x2695
            | 0x2696
            | 0x2708,
        ] => true,
        [MAN | WOMAN | PERSON, 0x1f37c] | [0x1f470 | 0x1f9d4, FEMALE | MALE] => true,
        [PERSON, CHILD] | [PERSON, CHILD | PERSON, CHILD] | [PERSON, PERSON, CHILD, CHILD] => true,
        [0x1f636, 0x1f32b] | [0x1f62e, 0x1f4a8] | [0x1f635, 0x1f4ab] | [0x1f642, 0x2194 | 0x2195] => true,
        [HEART, 0x1f525 | 0x1fa79] | [0x1f408, 0x2b1b] | [0x1f43b, 0x2744] | [0x1f426, 0x2b1b | 0x1f525] => true,
        [0x1f34b, 0x1f7e9] | [0x1f344, 0x1f7eb] | [0x26d3, 0x1f4a5] => true,
        // Skin tones for what had none before.
        [HANDSHAKE | 0x1f46f | 0x1f93c | 0x1f48f | 0x1f491] => tone_count > 0,
        [0x1f46f | 0x1f93c, FEMALE | MALE] => tone_count > 0,
        [MAN | WOMAN | PERSON, BUNNY, MAN | WOMAN | PERSON] => true,
        [MAN | WOMAN, HEART, MAN | WOMAN] | [MAN | WOMAN, HEART, KISS, MAN | WOMAN] => tone_count > 0,
        [PERSON, HEART, PERSON] | [PERSON, HEART, KISS, PERSON] => true,
        // Of two people holding hands, Emoji 12.0 had the first no lighter than the second.
        [MAN, HANDSHAKE, MAN] | [WOMAN, HANDSHAKE, WOMAN] | [PERSON, HANDSHAKE, PERSON] => {
            tone_count == 2 && tones[0] < tones[1]
        }
        _ => false,
    }
}
