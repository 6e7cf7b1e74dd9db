from export.diagnostics.section import section


def test_the_leading_finding_stands_by_itself_beside_the_others():
    # A class may have any name: where the leading finding ends cannot be read off the verdict.
    made = section("severe", "Mode collapse", ["1 missing (class a; b)", "no twins"], {}, "labels.")
    assert made["verdict"] == "Mode collapse: 1 missing (class a; b); no twins."
    assert made["leading"] == "Mode collapse: 1 missing (class a; b)."
    assert "leading" not in section("severe", "Mode collapse", ["1 missing (class a; b)"], {}, "labels.")
