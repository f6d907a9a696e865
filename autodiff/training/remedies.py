"""What a course in deep learning advises against each gap between errors, in its order, and on method.

Source: Ng, "Machine Learning Yearning", 2018, in our words.
"""

REMEDIES: dict[str, tuple[str, ...]] = {
    "avoidable bias": (
        "Train a bigger network: more units, more layers.",
        "Train longer, or with a better optimizer: momentum, RMSprop, Adam, a rate that decays.",
        "Look for another architecture or better hyperparameters.",
        "Regularise less, if you do.",
    ),
    "variance": (
        "Get more training data; a learning curve shows whether more would help.",
        "Regularise: weight decay, dropout, augmentation of the data.",
        "Look for another architecture or better hyperparameters.",
    ),
    "data mismatch": (
        "Look at dev examples that go wrong, and find how they differ from training ones; leave the test set alone.",
        "Gather training examples that are like them.",
        "Make training examples like them: add the noise, the blur, the light that they lack.",
    ),
    "overfitting to dev": (
        "Get a bigger dev set: too much was chosen by this one.",
        "Leave the test set alone: once something is chosen by it, it no longer tells the truth.",
    ),
}

ADVICE: dict[str, str] = {
    "no human level": "No human level is given, so the Bayes error counts as 0 and all of the training error as "
    "avoidable. Measure what the best of people get wrong, a team of experts, say: that bounds the Bayes error.",
    "below human level": "The model beats the human level on training data, so the Bayes error is lower still. Take "
    "a better estimate, such as a team of experts; without one, bias and variance cannot be told apart any more.",
    "orthogonalisation": "Both bias and variance count. Turn one knob for one gap, bias first: a bigger network for "
    "the fit to train, regularisation for dev. Early stopping turns both at once, so it is harder to reason about.",
    "synthetic data": "Synthetic data have a trap: what looks endless to you may be a sliver to a network. One hour of "
    "car noise under 10,000 hours of speech, or 20 designs of cars, is something that it will learn by heart.",
    "easier dev set": "The dev set is easier than the training data are. Check that it is what you want to be good at.",
    "same distribution": "Dev and test set must come from one distribution, that of the data you want to do well on: "
    "mix and shuffle what you have of it, then split. Otherwise you aim at one target and are judged by another.",
    "no gap": "No gap stands out. If users are not content all the same, the metric or the dev set does not ask for "
    "what they want: change it.",
    "iterate": "Build a first system quickly, then let this table and the examples that go wrong decide what comes "
    "next; change one thing, and measure again.",
}
