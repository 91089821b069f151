"""`python -m t2i_operator`."""

from t2i_operator.main import main

main()
