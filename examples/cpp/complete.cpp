// A greedy completion in C++17: complete MODEL PROMPT TOKENS.
#include <mixtral.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  throw std::runtime_error(std::string(mixtral_status_name(status)) + ": " + mixtral_last_error());
}

struct Free {
  void operator()(void *object) const { mixtral_free(object); }
};
template <typename Object>
using Handle = std::unique_ptr<Object, Free>;

template <typename Object, typename... Parameters, typename... Arguments>
static Handle<Object> create(mixtral_status (*function)(Object **, Parameters...),
                             Arguments... arguments) {
  Object *object = nullptr;
  check(function(&object, arguments...));
  return Handle<Object>(object);
}

static void complete(const char *path, const std::string &prompt, long limit) {
  const auto model = create(mixtral_load, path, nullptr);
  mixtral_sampler_options options{}; // zero in any field of options is the default
  options.struct_size = sizeof options;
  options.temperature = 0; // always the likeliest token
  const auto session = create(mixtral_session_create, model.get(), nullptr);
  const auto sampler = create(mixtral_sampler_create, &options);
  const auto detokenizer =
      create(mixtral_detokenizer_create, model.get(), MIXTRAL_DETOKENIZE_CONTINUE);

  size_t count = 0;
  std::vector<mixtral_token> ends(64); // more ends than models have; else the call says so
  check(mixtral_model_stop_tokens(&count, ends.data(), ends.size(), model.get()));
  ends.resize(count);

  // A token is at least a byte; a few more for what belongs before and after a text.
  std::vector<mixtral_token> tokens(prompt.size() + 8);
  check(mixtral_tokenize(&count, tokens.data(), tokens.size(), model.get(), prompt.data(),
                         prompt.size(), MIXTRAL_TOKENIZE_BOS));
  check(mixtral_step(session.get(), tokens.data(), count));

  char piece[1024];
  size_t size = 0;
  for (long made = 0; made < limit; made++) {
    mixtral_token token;
    check(mixtral_sample(&token, session.get(), sampler.get()));
    if (std::find(ends.begin(), ends.end(), token) != ends.end()) break;
    check(mixtral_detokenizer_next(&size, piece, sizeof piece, detokenizer.get(), &token, 1));
    std::cout.write(piece, static_cast<std::streamsize>(size)).flush();
    check(mixtral_step(session.get(), &token, 1));
  }
  check(mixtral_detokenizer_next(&size, piece, sizeof piece, detokenizer.get(), nullptr, 0));
  std::cout.write(piece, static_cast<std::streamsize>(size)).flush();
}

int main(int argc, char **argv) try {
  if (argc != 4) throw std::invalid_argument("usage: complete MODEL PROMPT TOKENS");
  complete(argv[1], argv[2], std::stol(argv[3]));
} catch (const std::exception &error) {
  std::cerr << error.what() << '\n';
  return 1;
}
