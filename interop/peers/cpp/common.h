// What client and server share: the command line, files, payloads.
#pragma once

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "interop_test.pb.h"

// Flags are written --name=value; a bare --name is true.
inline std::map<std::string, std::string> flags(int count, char** words) {
  std::map<std::string, std::string> found;
  for (int index = 1; index < count; ++index) {
    std::string word = words[index];
    size_t at = word.find('=');
    if (at == std::string::npos) {
      found[word.substr(2)] = "true";
    } else {
      found[word.substr(2, at - 2)] = word.substr(at + 1);
    }
  }
  return found;
}

inline std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void fill(grpc::testing::Payload* payload, int size) {
  payload->set_body(std::string(size, '\0'));
}
