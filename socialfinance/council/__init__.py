"""What councils reckon by rule: revenue and capital, guarantees in the accounts, appraisal."""
