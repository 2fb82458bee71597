//! Accepted and refused icons.

use super::super::*;
use super::problems;

/// The fault of an icon with these elements.
fn icon(inside: &str) -> String {
    let start = r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:h="http://www.w3.org/1999/xhtml">"#;
    let found = problems(|node| node.icon_svg = Some(format!("{start}{inside}</svg>")));
    let found = found.join(", ");
    found.strip_prefix("node, icon: ").unwrap_or(&found).to_owned()
}

#[test]
fn an_icon_draws_and_does_nothing_else() {
    assert_eq!(
        icon(r##"<defs><path id="a" d="M0 0"/></defs><use xlink:href="#a" fill="url(#b)"/>"##),
        ""
    );
    for (inside, expected) in [
        ("<script>alert(1)</script>", "the element `script` is not allowed"),
        (
            "<h:script>alert(1)</h:script>",
            "the element `script` is not allowed",
        ),
        ("<foreignObject/>", "the element `foreignObject` is not allowed"),
        ("<style>*{}</style>", "the element `style` is not allowed"),
        ("<image/>", "the element `image` is not allowed"),
        (
            "<path onclick='a()'/>",
            "the attribute `onclick` of `path` is not allowed so",
        ),
        (
            "<use href='https://evil.example/a.svg#a'/>",
            "the attribute `href` of `use` is not allowed so",
        ),
        (
            "<use xlink:href='&#106;avascript:a()'/>",
            "the attribute `href` of `use` is not allowed so",
        ),
        (
            "<path fill='URL(//evil.example)'/>",
            "the attribute `fill` of `path` is not allowed so",
        ),
        (
            "<path style='a'/>",
            "the attribute `style` of `path` is not allowed so",
        ),
        ("<?php a?>", "processing instructions are not allowed"),
        // Other spellings of elements that load something, and other references.
        (
            "<path fill='u\\72l(//evil.example)'/>",
            "the attribute `fill` of `path` is not allowed so",
        ),
        (
            "<path mask=\"image-set('https://evil.example/a.png' 1x)\"/>",
            "the attribute `mask` of `path` is not allowed so",
        ),
        (
            "<path fill='rgb(1,2,3) url ( &quot;//evil.example&quot; )'/>",
            "the attribute `fill` of `path` is not allowed so",
        ),
        (
            "<use href='#%61'/>",
            "the attribute `href` of `use` is not allowed so",
        ),
        (
            "<path filter='blur(9999px)'/>",
            "the attribute `filter` of `path` is not allowed so",
        ),
        ("<pattern/>", "the element `pattern` is not allowed"),
        // References that lead back to themselves, directly or through an enclosing element.
        (
            "<g id='a'><use href='#a'/></g>",
            "expected no element that refers to itself, nor references that nest deep",
        ),
        (
            "<mask id='a'><path mask='url(#b)'/></mask><mask id='b'><path mask='url(#a)'/></mask>",
            "expected no element that refers to itself, nor references that nest deep",
        ),
    ] {
        assert_eq!(icon(inside), expected);
    }
    assert!(icon("<g>").starts_with("expected an SVG document, found: "));
    let whole = |icon: String| problems(|node| node.icon_svg = Some(icon));
    assert_eq!(
        whole("<svg/>".to_owned()),
        ["node, icon: expected an `svg` element of the namespace `http://www.w3.org/2000/svg`"]
    );
    assert_eq!(
        whole("x".repeat(MAX_ICON_BYTES + 1)),
        ["node, icon: expected at most 32768 bytes, found 32769"]
    );
    let entity = "<!DOCTYPE svg [<!ENTITY a \"b\">]><svg xmlns=\"http://www.w3.org/2000/svg\">&a;</svg>";
    let found = problems(|node| node.icon_svg = Some(entity.to_owned()));
    assert!(found[0].contains("DTD"), "{found:?}");
}

/// Ten levels of ten references make ten thousand million paths, whatever refers and whichever of two IDs counts.
#[test]
fn an_icon_is_drawn_in_a_bounded_number_of_steps() {
    let levels = |one: &dyn Fn(usize) -> String| (0..10).map(one).collect::<String>();
    let drawn = "expected at most 10000 elements to draw, with what is referred to, found more";
    let ten = |text: String| text.repeat(10);
    let uses = |level: usize| ten(format!("<use href='#a{}'/>", level.wrapping_sub(1)));
    let masks = |level: usize| ten(format!("<path mask='url(#a{})'/>", level.wrapping_sub(1)));
    let fills = |level: usize| {
        format!(
            "<g fill='url(#a{})'>{}</g>",
            level.wrapping_sub(1),
            ten("<path/>".into())
        )
    };
    for one in [
        &(|level| format!("<g id='a{level}'><path/>{}</g>", uses(level))) as &dyn Fn(usize) -> String,
        &|level| format!("<symbol id='a{level}'><path/>{}</symbol>", uses(level)),
        &|level| format!("<mask id='a{level}'><path/>{}</mask>", masks(level)),
        &|level| format!("<g id='a{level}'/><g id='a{level}'><path/>{}</g>", uses(level)),
        &|level| format!("<linearGradient id='a{level}'>{}</linearGradient>", fills(level)),
    ] {
        assert_eq!(icon(&levels(one)), drawn);
    }
    let deep = format!("{}{}", "<g>".repeat(200), "</g>".repeat(200));
    assert!(icon(&deep).starts_with("expected no element that refers to itself"));
    let sketch = "<defs><path id='a' d='M0 0'/><linearGradient id='b'><stop/><stop/></linearGradient></defs>\
         <mask id='m' fill='white'><use href='#a'/></mask>\
         <g mask='url(#m)' fill='url(#b)' transform='translate(1 2) rotate (45)'><use href='#a'/><path fill='rgb(1, 2, 3)'/></g>";
    assert_eq!(icon(sketch), "");
}
