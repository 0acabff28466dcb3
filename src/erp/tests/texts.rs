//! A text as the ERP stores it.

use crate::erp::stored_text;

fn check<const N: usize>(rows: [(&str, &str); N]) {
    for (text, stored) in rows {
        assert_eq!(stored_text(text), stored, "{text}");
        assert_eq!(stored_text(stored), stored, "it is clean: {text}");
    }
}

#[test]
fn texts_become_one_plain_line() {
    check([
        ("Поставка окон", "Поставка окон"),
        ("  trimmed\t", "trimmed"),
        ("two\r\nlines\n\n\nand   more", "two lines and more"),
        ("tab \t and\u{0}nul\u{2028}line", "tab and nul line"),
        ("emoji 🪟 stays", "emoji 🪟 stays"),
        ("Null now()", "Null now()"),
        ("\n", ""),
    ]);
    assert_eq!(stored_text("null"), "\"null\"");
    assert_eq!(stored_text("now()"), "\"now()\"");
}

#[test]
fn long_texts_are_cut_between_characters() {
    assert_eq!(stored_text(&"я".repeat(10_000)), "я".repeat(255));
    assert_eq!(stored_text(&format!("{} tail", "x".repeat(254))), "x".repeat(254));
    assert_eq!(stored_text(&"<b>".repeat(100)).chars().count(), 255);
    let cut = format!("{}<b", "x".repeat(254));
    assert_eq!(stored_text(&cut), format!("{}_", "x".repeat(254)), "the ERP's page goes on");
    let slow = "&amp;".repeat(200_000);
    assert_eq!(stored_text(&slow), "&".repeat(255));
}

#[test]
fn what_a_person_would_read_stays_readable() {
    check([
        ("Tom & Jerry", "Tom & Jerry"),
        ("R&D, AT&T, C&A; a&b=c", "R&D, AT&T, C&A; a&b=c"),
        ("ООО \"Ромашка\" 'Юг'", "ООО \"Ромашка\" 'Юг'"),
        ("O'Brien (\"Bob\")", "O'Brien (\"Bob\")"),
        ("A < B & C", "A < B & C"),
        ("5 <6, -> и => и >> и <3", "5 <6, -> и => и >> и <3"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("&quot;Ромашка&quot; &#39;Юг&#x27;", "\"Ромашка\" 'Юг'"),
        ("https://example.org/?a=1&b=2", "https://example.org/?a=1&b=2"),
        ("javascript: курс", "javascript: курс"),
        ("&eacute; &#108;", "&eacute; &#108;"),
    ]);
}

#[test]
fn what_a_browser_executes_is_text() {
    check([
        ("Иван <img src=x onerror=alert(1)>", "Иван _img src=x onerror=alert(1)_"),
        ("<svg/onload=alert(1)>", "_svg/onload=alert(1)_"),
        ("<script>alert(1)</script>", "_script_alert(1)_/script_"),
        ("Иван <ivan@example.org>", "Иван _ivan@example.org_"),
        // Never closed: the ERP's own page closes it, and the ERP's forms let it pass.
        ("<img src=x onerror=alert(1) ", "_img src=x onerror=alert(1)"),
        ("<img src=x onerror=alert(1)//", "_img src=x onerror=alert(1)//"),
        ("x<", "x_"),
        ("<<b>b>", "<_b_b>"),
        ("</title><!--<?x", "_/title__!--_?x"),
        ("<scr\u{0}ipt>alert(1)<\t/script>", "_scr ipt_alert(1)< /script>"),
        ("<\nimg src=x onerror=alert(1)>", "< img src=x onerror=alert(1)>"),
        ("<ſvg onload=1>", "<ſvg onload=1>"),
        // Entities, which scripts of the ERP's pages decode when they take a title for HTML.
        ("&lt;img src=x onerror=alert(1)&gt;", "_img src=x onerror=alert(1)_"),
        ("&LT;svg onload=alert(1)&GT", "_svg onload=alert(1)_"),
        ("&#60;b&#62; &#x3c;b&#X3E; &#0000060b", "_b_ _b_ _b"),
        ("&amp;lt;b&amp;amp;gt;", "_b_"),
        ("&&lt;b&#38;#62;", "&_b_"),
        ("&#38;lt;script", "_script"),
        // Quotes that close an attribute of the ERP's page.
        ("x\" onmouseover=\"alert(1)", "x” onmouseover=”alert(1)"),
        ("x' onfocus='alert(1)' autofocus", "x’ onfocus=’alert(1)’ autofocus"),
        ("x&quot; onclick&equals;alert(1)", "x” onclick=alert(1)"),
        ("x&#34; onclick&#61;alert(1)", "x” onclick=alert(1)"),
        // A field that holds a link.
        ("JavaScript://%0aalert(1)", "JavaScript_//%0aalert(1)"),
        ("java&Tab;script&colon;alert('://')", "java script:alert('://')"),
        ("javascript&colon;alert('://')", "javascript_alert('://')"),
    ]);
}
