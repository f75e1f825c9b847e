"""One meaning of a glob: that of `fnmatchcase`, by which routes are matched, in every database."""

from fnmatch import fnmatchcase

from tests.support.stores import Stores, event, migrated, stores

__all__ = ["migrated", "stores"]

PLAIN = r"* ? orders.* Orders.* *.paid o?ders.paid 100% 100_ \* \d . a.c a?c a* (a|b) *ü* a**c $ ***:a"
SETS = r"orders.[pP]aid orders.[!p]aid [a-p]* *[0-9] []] [!]] [! [ [] a[ [z-a] [!z-a] [a-c-e] [--0] [a-] [a--c] [^a]"
HOSTILE = ["[[:alpha:]]", "[\\]", "*a*a*a*a*a*a*a*a*a*a*a*b", "a b*", "(?i)A"]
WORDS = r"orders.paid Orders.Paid ORDERS.PAID orders.Paid orders.0 100% 1000 100_ a b - ] [ ^ ! z e d . abc a.c"
SIGNS = r"(a|b) ü \\x \d \ 5 $ a[ [! : ***:a 🚲"
TEXTS = [*WORDS.split(), *SIGNS.split(), "", "a\nc", "a\n", "a b c", "a" * 250]


def test_globs_mean_what_they_mean_in_routes(stores: Stores) -> None:
    """A filter finds exactly the types that a route with the same glob takes, in time however hostile the glob."""
    stores.events.add([event(type=text) for text in TEXTS])
    for pattern in (*PLAIN.split(), *SETS.split(), *HOSTILE):
        found = {one.type for one in stores.events.find({"type": pattern}, None, 200)}
        assert found == {text for text in TEXTS if fnmatchcase(text, pattern)}, pattern
