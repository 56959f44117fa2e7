// Mixtral
