//! The platforms. A fifth is a file here and a line in `ALL`.

mod instagram;
mod linkedin;
mod tiktok;
mod x;

use crate::subject::Subject;

pub static ALL: [&dyn Subject; 4] = [&x::X, &linkedin::LinkedIn, &instagram::Instagram, &tiktok::TikTok];
