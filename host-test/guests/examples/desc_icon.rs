//! Has the icon that the test writes into the component over this text.

use hostile_guests::{Behaviour, d, guest};

static ICON: [u8; 4096] = {
    let mut icon = [b' '; 4096];
    let (text, mut at) = (b"the icon goes here", 0);
    while at < text.len() {
        icon[at] = text[at];
        at += 1;
    }
    icon
};

struct Icon;

impl Behaviour for Icon {
    fn describing() -> d::Node {
        let icon = String::from_utf8_lossy(std::hint::black_box(&ICON));
        d::Node {
            icon_svg: Some(icon.trim_end().to_owned()),
            ..hostile_guests::describe()
        }
    }
}

guest!(Icon);
