"""What small programs use of torchvision: data sets, transforms and pictures in files, with Pillow for the images."""
