//! A name as the ERP stores it.

use crate::erp::stored_name;

#[test]
fn names_become_one_plain_line() {
    for (name, stored) in [
        ("Поставка окон", "Поставка окон"),
        ("  trimmed\t", "trimmed"),
        ("two\r\nlines\n\n\nand more", "two lines and more"),
        ("tab \t and\u{0}nul\u{2028}line", "tab  and nul line"),
        ("emoji 🪟 stays", "emoji 🪟 stays"),
        ("<b>&amp;</b> 'quoted'", "<b>&amp;</b> 'quoted'"),
        ("null", "\"null\""),
        ("now()", "\"now()\""),
        ("Null now()", "Null now()"),
        ("\n", ""),
    ] {
        assert_eq!(stored_name(name), stored);
    }
}

#[test]
fn long_names_are_cut_between_characters() {
    assert_eq!(stored_name(&"я".repeat(10_000)), "я".repeat(255));
    assert_eq!(stored_name(&format!("{} tail", "x".repeat(254))), "x".repeat(254));
}
