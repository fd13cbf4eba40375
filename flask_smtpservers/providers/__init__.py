"""What is known of mail providers: presets for the form, facts for the diagnosis. No Flask, no network."""
