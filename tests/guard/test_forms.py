"""The common script in both forms of the context's functions."""

import forms


class TestSql(forms.RightTokens, forms.WrongTokens, forms.Transactions, forms.Surroundings):
    """Functions in SQL, no library."""


class TestExtension(forms.RightTokens, forms.WrongTokens, forms.Transactions, forms.Surroundings):
    """Functions in C, the library verifies."""

    native = True
